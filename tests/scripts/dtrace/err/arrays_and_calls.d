BEGIN
{
	m[1, "x"] = 2;
	trace(m[1]);
	trace(m["x", 1]);
	trace(m);
	*arg0;
	(struct proc *)arg0;
	trace(strlen(1));
	trace(strlen("a", "b"));
	this->q[1] = 2;
	timestamp = 5;
	e = lquantize(1, 2, 3);
	@l = lquantize(1, 9, 3, 1);
	@m = min();
	stringof(arg0);
}
