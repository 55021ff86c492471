# What the tests of the name vector share: a copy of the server (test/sandbox) that holds vectorext, and pgvector where
# the system has it; putting the one in the place of the other; a catalog as text.
package AsVector;

use strict;
use warnings;
use Cwd ();
use Exporter 'import';
use File::Basename qw(basename dirname);
use File::Copy ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

our @EXPORT = qw(make_sandbox install_as_vector uninstall_as_vector pgvector_script catalog_of server_on text_of);

# The repository, or the copy of parts of it that test/run makes.
my $root = Cwd::realpath(dirname(__FILE__) . '/../..');

sub shell
{
	my (@command) = @_;
	my ($out, $err) = ('', '');
	my $ok = IPC::Run::run(\@command, '<', \undef, '>', \$out, '2>', \$err);
	return ($ok, $out, $err);
}

sub output_of
{
	my ($ok, $out, $err) = shell(@_);
	die "@_: $err" unless $ok;
	chomp $out;
	return $out;
}

# A copy of the server whose programs are first in PATH, with vectorext; keys bin, lib, ext (directories), pgvector (the
# version that the system has and that was copied along, or undef).
sub make_sandbox
{
	my ($dir) = @_;
	my $original = output_of('sh', '-c', 'command -v pg_config');
	my $config = output_of("$root/test/sandbox", $dir, $original);
	my %s = (dir => $dir);
	$s{bin} = output_of($config, '--bindir');
	$s{lib} = output_of($config, '--pkglibdir');
	$s{ext} = output_of($config, '--sharedir') . '/extension';
	my $lib = output_of($original, '--pkglibdir');
	my $ext = output_of($original, '--sharedir') . '/extension';
	copy_to($s{lib}, "$lib/vectorext.so");
	copy_to($s{ext}, glob("$ext/vectorext.control $ext/vectorext--*.sql"));

	# The server may be a sandbox itself: its links lead to where the system's pgvector is.
	$lib = dirname(Cwd::realpath("$lib/plpgsql.so"));
	$ext = dirname(Cwd::realpath("$ext/plpgsql.control"));
	if (-f "$lib/vector.so" && !-l "$lib/vector.so" && -f "$ext/vector.control")
	{
		copy_to($s{lib}, "$lib/vector.so");
		mkdir "$s{lib}/bitcode";
		copy_to("$s{lib}/bitcode", glob "$lib/bitcode/vector.index.bc");
		copy_to($s{ext}, glob("$ext/vector.control $ext/vector--*.sql"));
		($s{pgvector}) = slurp_file("$s{ext}/vector.control") =~ /^default_version = '(.*)'/m;
	}
	return \%s;
}

sub copy_to
{
	my ($to, @files) = @_;
	foreach my $f (@files) { File::Copy::copy($f, $to) or die "$f: $!"; }
	return;
}

# As the make targets do it; (success, messages).
sub install_as_vector
{
	my ($s, $force) = @_;
	my ($ok, $out, $err) = shell("$root/sql/as_vector/files.sh", 'install', $s->{lib}, $s->{ext}, "$root/build/as_vector", $force ? 1 : ());
	return ($ok, $err);
}

sub uninstall_as_vector
{
	my ($s) = @_;
	my ($ok, $out, $err) = shell("$root/sql/as_vector/files.sh", 'uninstall', $s->{lib}, $s->{ext});
	return ($ok, $err);
}

# The part of our script that pgvector of a version has.
sub pgvector_script
{
	my ($version) = @_;
	return output_of('awk', '-v', 'make=pgvector', '-v', "pgvector=$version", '-f', "$root/sql/as_vector/script.awk",
		"$root/sql/as_vector/objects", "$root/sql/vectorext.sql") . "\n";
}

sub text_of
{
	my ($file) = @_;
	return slurp_file("$root/$file");
}

sub server_on
{
	my ($s, $name) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name, install_path => dirname($s->{bin}));
	$node->init;
	$node->append_conf('postgresql.conf', "autovacuum = off\n");
	$node->start;
	return $node;
}

# All that the members of extension vector are, without numbers and comments.
sub catalog_of
{
	my ($node, $db) = @_;
	return $node->safe_psql($db, q{
		SET search_path = '';
		CREATE TEMP VIEW member AS SELECT classid, objid FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e
			ON d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.refobjid = e.oid
			WHERE d.deptype = 'e' AND e.extname = 'vector';
		SELECT line FROM (SELECT concat_ws(' ', 'function', p.oid::regprocedure, p.proretset, p.provolatile, p.proisstrict, p.proparallel,
				p.prokind, p.procost, p.prosupport, p.prosrc, p.probin, pg_catalog.pg_get_function_result(p.oid),
				(SELECT concat_ws(' ', aggtransfn, aggfinalfn, aggcombinefn, aggtranstype::regtype, agginitval)
					FROM pg_catalog.pg_aggregate WHERE aggfnoid = p.oid)) AS line
			FROM member m JOIN pg_catalog.pg_proc p ON m.classid = 'pg_catalog.pg_proc'::regclass AND m.objid = p.oid
		UNION ALL SELECT concat_ws(' ', 'operator', o.oid::regoperator, oprcode, oprcom::regoperator, oprnegate::regoperator,
				oprrest, oprjoin, oprcanmerge, oprcanhash)
			FROM member m JOIN pg_catalog.pg_operator o ON m.classid = 'pg_catalog.pg_operator'::regclass AND m.objid = o.oid
		UNION ALL SELECT concat_ws(' ', 'type', t.oid::regtype, typlen, typstorage, typalign, typcategory, typinput, typoutput,
				typreceive, typsend, typmodin, typmodout, typanalyze, typsubscript, typelem::regtype)
			FROM member m JOIN pg_catalog.pg_type t ON m.classid = 'pg_catalog.pg_type'::regclass AND m.objid = t.oid
		UNION ALL SELECT concat_ws(' ', 'cast', castsource::regtype, casttarget::regtype, castfunc::regprocedure, castcontext,
				castmethod)
			FROM member m JOIN pg_catalog.pg_cast c ON m.classid = 'pg_catalog.pg_cast'::regclass AND m.objid = c.oid
		UNION ALL SELECT concat_ws(' ', 'class', opcname, amname, opcintype::regtype, opcdefault,
				(SELECT pg_catalog.string_agg(concat_ws(' ', amopstrategy, amopopr::regoperator, amoppurpose), ', ' ORDER BY amopstrategy, amopopr::regoperator::text COLLATE "C")
					FROM pg_catalog.pg_amop WHERE amopfamily = opcfamily),
				(SELECT pg_catalog.string_agg(concat_ws(' ', amprocnum, amproc::regprocedure), ', ' ORDER BY amprocnum)
					FROM pg_catalog.pg_amproc WHERE amprocfamily = opcfamily))
			FROM member m JOIN pg_catalog.pg_opclass c ON m.classid = 'pg_catalog.pg_opclass'::regclass AND m.objid = c.oid
				JOIN pg_catalog.pg_am a ON a.oid = opcmethod
		UNION ALL SELECT concat_ws(' ', 'method', amname, amhandler, amtype)
			FROM member m JOIN pg_catalog.pg_am a ON m.classid = 'pg_catalog.pg_am'::regclass AND m.objid = a.oid
		UNION ALL SELECT concat_ws(' ', 'members', classid::regclass, count(*)) FROM member GROUP BY classid) s
		ORDER BY line COLLATE "C";});
}

1;
