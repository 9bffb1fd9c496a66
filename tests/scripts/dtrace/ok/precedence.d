int total, counts[string, int];
inline int LIMIT = 1 << 4 | 2;
typedef unsigned long word_t;
enum colour { RED, GREEN = 5, BLUE };

BEGIN
/a + b * c == d || !e && ~f & 7/
{
	a = b = c;
	x = a - b - c;
	y = a ? b : c ? d : e;
	z = (a + b) * -c, w = 2;
	v ^= a ^^ b && c;
	n++; --m;
	t = (int)a + (char *)b;
	s = sizeof (int) + sizeof x;
	l = a < b == c > d;
	h = 0x1F + 017 + 'a' + 10UL;
	k = *(int *)copyin(arg0, 4);
	p = stringof arg0;
}

tick-1s { if (a) b = 1; else if (c) { d = 2; e = 3 } else f = 4 }

END
/ a / 2 /
{
	@[a, "b"] = quantize(c);
	@n = count();
	printa("%@d\n", @n);
}
