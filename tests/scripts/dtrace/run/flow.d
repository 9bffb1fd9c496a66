#pragma D option quiet

self int depth;

dtrace:::BEGIN
{
	printf("%-16s %9s -- %s\n", "FILE", "DELTA(us)", "FUNC");
}

python*:::function-entry,
python*:::function-return
/self->last == 0/
{
	self->last = timestamp;
}

python*:::function-entry
{
	printf("%-16s %9d %*s-> %s\n", basename(copyinstr(arg0)), (timestamp - self->last) / 1000,
	    self->depth * 2, "", copyinstr(arg1));
	self->depth++;
	self->last = timestamp;
}

python*:::function-return
{
	self->depth -= self->depth > 0 ? 1 : 0;
	printf("%-16s %9d %*s<- %s\n", basename(copyinstr(arg0)), (timestamp - self->last) / 1000,
	    self->depth * 2, "", copyinstr(arg1));
	self->last = timestamp;
}
