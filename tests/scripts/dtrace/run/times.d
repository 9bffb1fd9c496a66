#pragma D option quiet

python$target:::function-entry
{
	self->depth++;
	self->exclude[self->depth] = 0;
	self->start[self->depth] = timestamp;
}

python$target:::function-return
/self->start[self->depth]/
{
	this->all = timestamp - self->start[self->depth];
	this->own = this->all - self->exclude[self->depth];
	self->start[self->depth] = 0;
	self->exclude[self->depth] = 0;
	@num[copyinstr(arg1)] = count();
	@own[copyinstr(arg1), arg2] = sum(this->own);
	@sizes = quantize(this->own);
	self->depth--;
	self->exclude[self->depth] += this->all;
}

END
{
	printa("%-5s %@3d\n", @num);
	normalize(@own, 1000);
	printa("%@6d us %s (%i)\n", @own);
	trunc(@own, 1);
}
