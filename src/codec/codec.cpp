#include "codec/codec.h"

#include "codec/plain.h"
#include "codec/sq4.h"
#include "codec/sq8.h"
#include "codec/sq8_sparse.h"

namespace vext::codec {
const Codec* find(CodecId id, Element element, Metric metric) {
    for (std::span<const Codec> codecs : {plain_codecs(), sq8_codecs(), sq4_codecs(), sparse_codecs()}) {
        for (const Codec& c : codecs) {
            if (c.id == id && c.element == element && c.metric == metric) return &c;
        }
    }
    return nullptr;
}

const Codec& query_codec(const Codec& codec) {
    return codec.query_codec == CodecId{} ? codec : *find(codec.query_codec, codec.element, codec.metric);
}

CodecId default_codec(Element element) {
    return element == Element::bit ? CodecId::none : CodecId::sq8;
}

const char* codec_name(CodecId id) {
    switch (id) {
    case CodecId::none:
        return "none";
    case CodecId::sq8:
        return "sq8";
    case CodecId::sq4:
        return "sq4";
    case CodecId::rabitq:
        return "rabitq";
    }
    return "unknown";
}

const char* metric_name(Metric metric) {
    switch (metric) {
    case Metric::l2:
        return "l2";
    case Metric::inner_product:
        return "inner product";
    case Metric::cosine:
        return "cosine";
    case Metric::l1:
        return "l1";
    case Metric::hamming:
        return "hamming";
    case Metric::jaccard:
        return "jaccard";
    }
    return "unknown";
}

}  // namespace vext::codec
