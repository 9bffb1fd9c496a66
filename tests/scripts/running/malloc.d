/* Large allocations by the Python function that asks for them, and by its whole stack. */
#pragma D option quiet

#ifndef LEAST
#define LEAST 100000
#endif

python$target:::function-entry
{
	self->name = copyinstr(arg1);
}

python$target:::function-return
{
	self->name = 0;
}

pid$target::malloc:entry
/self->name != NULL && arg0 >= LEAST && arg0 < LEAST + 1000/
{
	@number[self->name] = count();
	@bytes[self->name] = sum(arg0);
	@spread[self->name] = quantize(arg0);
	@stacks[jstack()] = count();
}

END
{
	printa("%s: %@d of %@d bytes%@d\n", @number, @bytes, @spread);
	printf("stacks\n");
	printa(@stacks);
}
