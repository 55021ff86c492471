// A ball: all vectors within a radius around a center, by whatever distance the operator that takes it stands for. In
// SQL a row of two columns, vector_ball and its like.
#pragma once

#include "pg/postgres.h"

namespace vext {

// Where the columns stand.
inline constexpr AttrNumber kBallCenter = 1;
inline constexpr AttrNumber kBallRadius = 2;

struct Ball {
    Datum center;
    double radius;
};

// False for one that lacks a center or a radius: nothing lies within it, or nothing is known. Allocates what it
// detoasts.
bool read_ball(Datum datum, Ball* ball);

}  // namespace vext
