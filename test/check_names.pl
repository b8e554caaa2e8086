# Checks that what the documents and the comments name is there: paths, programs, functions, types,
# settings, tables, and the places that links lead to; that no name of a type or a file has two
# meanings; and that each function in a header has a comment, its own or that of the lines it
# stands in.  Prints each offence; exit status 1 if there is one.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename;

chdir dirname(abs_path(__FILE__)) . '/..' or die "cannot find the sources: $!\n";

my $failed = 0;

sub offend
{
	my ($where, $what) = @_;

	print "$where: $what\n";
	$failed = 1;
}

sub slurp
{
	my ($path) = @_;

	open my $file, '<:encoding(UTF-8)', $path or die "cannot open $path: $!\n";
	local $/;
	return <$file>;
}

my @sources = (glob('src/*/*.[ch]'), glob('src/*/*/*.[ch]'));
my %text = map { $_ => slurp($_) } @sources, glob('test/*/*.[ch]'), glob('sql/*.sql');
my $everything = join "\n", values %text;

# Names of C and SQL that stand outside of comments
(my $code = $everything) =~ s{/\*.*?\*/}{}gs;
my %known = map { $_ => 1 } $code =~ /\b(\w+)\b/g;
my %dotted = map { $_ => 1 } $code =~ /\b(srm\.\w+)/g;
my %file = map { basename($_) => 1 } keys %text;

# Tensors of a model's own, which are no settings; headers of others
my %of_models = map { ("srm.$_" => 1) } qw(query key);
$file{$_} = 1 for qw(postgres.h cblas.h);

# Headings as GitHub makes them the names of places in a page
sub places
{
	my ($page) = @_;

	return map { my $name = lc; $name =~ s/[^\w\s-]//g; $name =~ s/\s/-/g; ($name => 1) }
	  $page =~ /^#+\s+(.*?)\s*$/mg;
}

sub check_word
{
	my ($where, $word) = @_;

	return if $word =~ /[A-Z]{2}|\.\.\.|…/;    # stands for many
	if ($word =~ m{^(src|test|tools|scripts|docs|sql|models|debian|expected)/})
	{
		my @found = glob $word;
		offend($where, "$word does not exist") if !grep { -e } @found;
	}
	elsif ($word =~ m{^(?:build/)?((?:bench|test|fuzz)_[a-z_]+)$})
	{
		offend($where, "$word has no source") if !$file{"$1.c"} && !$known{$1};
	}
	elsif ($word =~ m{^([a-z]+/\w+)\.([ch])$})
	{
		offend($where, "src/$word does not exist") if !-e "src/$word" && !-e $word;
	}
	elsif ($word =~ /^((?:srm_|Srm[A-Z])\w+)(?:\(.*)?$/)
	{
		offend($where, "nothing is called $1") if !$known{$1};
	}
	elsif ($word =~ /^(srm\.[a-z]\w*)$/)
	{
		offend($where, "there is no setting and no table $1") if !$dotted{$1} && !$of_models{$1};
	}
}

sub check_link
{
	my ($document, $link) = @_;
	my ($path, $place) = $link =~ /^([^#]*)#?(.*)$/;
	my $target = $path eq '' ? $document : dirname($document) . "/$path";

	return offend($document, "the link to $link leads nowhere") if !-e $target;
	return if $place eq '' || $target !~ /\.md$/;
	my %places = places(slurp($target));
	offend($document, "the link to $link finds no such heading") if !$places{$place};
}

# A changelog tells of what is gone, too.
for my $document (grep { $_ ne 'CHANGELOG.md' } glob('*.md docs/*.md test/*/*.md tools/*/*.md'))
{
	my $page = slurp($document);

	$page =~ s/^\s*```.*?^\s*```\s*$//gms;
	check_link($document, $_) for grep { !/^[a-z]+:/ } $page =~ /\]\(([^)\s]+)\)/g;
	for my $span ($page =~ /`([^`\n]+)`/g)
	{
		check_word($document, $_) for map { s/^["(]|[",;:)]$//gr } split ' ', $span;
	}
}

# Each decision stands in a group, and in the index.
my $decisions = slurp('docs/decisions.md');
my %indexed = map { $_ => 1 } $decisions =~ /\]\(#([^)]+)\)/g;

for my $group (split /^(?=## )/m, $decisions)
{
	my ($title) = $group =~ /^## (.*)$/m or next;
	my %entries = places(join "\n", $group =~ /^(### .*)$/mg);

	offend('docs/decisions.md', "\"$title\" stands in no group") if !%entries && $title ne 'Index';
	offend('docs/decisions.md', "the index lacks $_") for grep { !$indexed{$_} } sort keys %entries;
}

# Comments name files of ours without their rooms.
for my $source (@sources)
{
	for my $comment ($text{$source} =~ m{/\*(.*?)\*/}gs)
	{
		$comment =~ s/<[^>]*>//g;
		for my $name ($comment =~ m{(?<![\w/.])(?:\w+/)*(\w+\.[ch])\b(?!\w)}g)
		{
			offend($source, "a comment names $name, which does not exist") if !$file{$name};
		}
		for my $name ($comment =~ /\b(srm_\w+)\b(?!\.)/g)
		{
			offend($source, "a comment names $name, which does not exist") if !$known{$name};
		}
	}
}

# One type, one file
my %defined;
for my $source (@sources)
{
	for my $type ($text{$source} =~ /^\}\s*(Srm\w+|Jinja\w+);/gm)
	{
		offend($source, "$type is defined in $defined{$type}, too") if $defined{$type};
		$defined{$type} = $source;
	}
}

# A file of the engine may have a side in src/pg of the same name; two rooms of the engine may not.
my %room;
for my $source (grep { !m{^src/pg/} } @sources)
{
	my ($folder, $name) = $source =~ m{^src/(.+)/([^/]+)$};

	offend($source, "there is a file of that name in src/$room{$name}") if $room{$name};
	$room{$name} = $folder;
}

# Lines without an empty one between them share a comment.
for my $header (grep { /\.h$/ } @sources)
{
	for my $lines (split /\n\s*\n/, $text{$header})
	{
		next if $lines =~ m{/\*|\*/};
		offend($header, "$_ has no comment") for $lines =~ /^extern\s[^;=]*?\b(srm_\w+)\s*\(/gm;
	}
}

exit $failed;
