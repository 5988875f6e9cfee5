# What each exec of the chaos run is. It writes bytes that can be computed from its seed, and beside them, in files that
# Berth knows nothing of, what it does: that it started, how far each stream has got, and how it is about to end.
use strict;
use warnings;
use POSIX ();

my ($key, $seed, $stdout_bytes, $stderr_bytes, $piece_bytes, $pause_ms, $delay_ms, $wait_ms, $end, $flags) = @ARGV;
my $directory = '/workspace/.chaos';
my $block_bytes = 4096;
mkdir $directory;

# One write each, so that a kill leaves whole lines.
sub note {
    my ($ending, $text) = @_;
    open(my $file, '>>', "$directory/$key.$ending") or die "open: $!";
    syswrite($file, $text) == length $text or die "write: $!";
    close $file;
}

sub rest { select(undef, undef, undef, $_[0] / 1000) if $_[0] > 0 }

sub base_of {
    my $state = $_[0] || 1;
    my @words;
    for (1 .. $block_bytes / 4) {
        $state ^= ($state << 13) & 0xffffffff;
        $state ^= $state >> 17;
        $state ^= ($state << 5) & 0xffffffff;
        push @words, $state;
    }
    return pack('V*', @words);
}

# How many seconds old this process is: its limits of time began with it, and an interpreter may take a while to come so far.
sub age {
    my ($uptime) = first_line('/proc/uptime') =~ /^(\S+)/;
    my ($fields) = first_line('/proc/self/stat') =~ /.*\) (.*)/;
    my $born_ticks = (split / /, $fields)[19];
    return $uptime - $born_ticks / POSIX::sysconf(POSIX::_SC_CLK_TCK());
}

sub first_line {
    open(my $file, '<', $_[0]) or die "open: $!";
    return scalar <$file>;
}

# The file is there before the age is taken, so that both together never tell of a later start than there was.
note('start', '');
note('start', sprintf("%d %.2f\n", $$, age()));
$SIG{TERM} = 'IGNORE' if $flags =~ /t/;

if ($flags =~ /d/) {
    # A daemon that has left its session and its parent, ignores TERM and holds the streams open.
    if (!fork) {
        POSIX::setsid();
        if (!fork) {
            $SIG{TERM} = 'IGNORE';
            rest(600_000);
        }
        POSIX::_exit(0);
    }
    wait;
}

my %salt = (1 => $seed, 2 => $seed ^ 0x9e3779b9);
my %total = (1 => $stdout_bytes, 2 => $stderr_bytes);
my %done = (1 => 0, 2 => 0);
my %handle = (1 => \*STDOUT, 2 => \*STDERR);
my %base = map { $_ => base_of($salt{$_}) } grep { $total{$_} > 0 } (1, 2);

sub piece {
    my ($stream, $from, $length) = @_;
    my $first = int($from / $block_bytes);
    my $last = int(($from + $length - 1) / $block_bytes);
    my $bytes = '';
    for my $block ($first .. $last) {
        my $mask = pack('V', ($block * 2654435761 + $salt{$stream}) & 0xffffffff) x ($block_bytes / 4);
        $bytes .= $base{$stream} ^ $mask;
    }
    $bytes = ($bytes & ("\x1f" x length $bytes)) | ("\x40" x length $bytes) if $flags =~ /a/;
    return substr($bytes, $from - $first * $block_bytes, $length);
}

sub emit {
    my ($stream) = @_;
    my $length = $total{$stream} - $done{$stream};
    $length = $piece_bytes if $length > $piece_bytes;
    my $bytes = piece($stream, $done{$stream}, $length);
    note('written', "< $stream " . ($done{$stream} + $length) . "\n");
    my $at = 0;
    while ($at < $length) {
        my $written = syswrite($handle{$stream}, $bytes, $length - $at, $at);
        die "write: $!" unless defined $written;
        $at += $written;
    }
    $done{$stream} += $length;
    note('written', "> $stream $done{$stream}\n");
}

rest($delay_ms);
if ($flags =~ /i/) {
    # All that comes is kept beside, so that what was sent can be compared with what arrived.
    while (1) {
        my $read = sysread(STDIN, my $bytes, 65536);
        die "read: $!" unless defined $read;
        last if $read == 0;
        note('stdin', $bytes);
    }
    note('eof', "\n");
}
my $turn = 1;
while ($done{1} < $total{1} || $done{2} < $total{2}) {
    $turn = 3 - $turn if $done{3 - $turn} < $total{3 - $turn};
    emit($turn);
    rest($pause_ms);
}
rest($wait_ms);

my ($how, $value) = split /:/, $end;
if ($how eq 'exit') {
    note('end', "exit $value\n");
    POSIX::_exit($value);
}
if ($how eq 'signal') {
    note('end', "signal SIG$value\n");
    kill $value, $$;
}
rest(1000) while 1;
