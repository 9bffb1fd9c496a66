/* The flow of calls, indented. */
#pragma D option quiet

self int depth;

python*:::function-entry
/strstr(copyinstr(arg0), "program.py") != NULL/
{
	printf("%*s-> %s:%d\n", self->depth * 2, "", copyinstr(arg1), arg2);
	self->depth++;
}

python*:::function-return
/strstr(copyinstr(arg0), "program.py") != NULL/
{
	self->depth -= self->depth > 0 ? 1 : 0;
	printf("%*s<- %s:%d\n", self->depth * 2, "", copyinstr(arg1), arg2);
}
