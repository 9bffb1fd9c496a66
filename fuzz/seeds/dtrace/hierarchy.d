#!/usr/sbin/dtrace -qs
#pragma D option quiet
#pragma D option strsize=128
/* Functions between the entry and the return of "main", indented. */
self int indent;

python$target:::function-entry
/copyinstr(arg1) == "main"/
{
	self->trace = 1;
	self->last = timestamp
}

python$target:::function-entry,
python$target:::function-return
/self->trace && self->indent >= 0/
{
	this->name = copyinstr(arg1);
	printf("%d\t%*s%s:%d\n", timestamp, self->indent * 2, "", basename(copyinstr(arg0)), arg2);
	self->indent += probename == "function-entry" ? 1 : -1;
}
