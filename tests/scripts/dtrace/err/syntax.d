BEGIN
{
	trace(1 + );
	trace(2) trace(3);
	while (1) { }
	x = 1.5;
	y = 99999999999999999999;
	z = 'abcdefghi';
	ok = "unfinished;
}

foo_t bar;

struct s { int a; };

BEGIN /pid == 1 { }

END
