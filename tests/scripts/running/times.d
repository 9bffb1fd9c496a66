/* Elapsed and on-CPU time of each function of the program, by arrays that are indexed by the depth. */
#pragma D option quiet

python$target:::function-entry
/basename(copyinstr(arg0)) == "program.py"/
{
	self->depth++;
	self->below[self->depth] = 0;
	self->since[self->depth] = timestamp;
	self->cpu[self->depth] = vtimestamp;
}

python$target:::function-return
/basename(copyinstr(arg0)) == "program.py" && self->since[self->depth]/
{
	this->all = timestamp - self->since[self->depth];
	this->own = this->all - self->below[self->depth];
	this->name = copyinstr(arg1);
	@calls[this->name] = count();
	@all[this->name] = sum(this->all);
	@own[this->name] = sum(this->own);
	@every = sum(this->own);
	@cpu[this->name] = sum(vtimestamp - self->cpu[self->depth]);
	@spread[this->name] = quantize(this->own);
	self->since[self->depth] = 0;
	self->below[self->depth] = 0;
	self->depth--;
	self->below[self->depth] += this->all;
}

END
{
	printa("calls %s %@d\n", @calls);
	printa("own %s %@d\n", @own);
	printa("all %s %@d\n", @all);
	printa("every - %@d\n", @every);
	normalize(@cpu, 1000000);
	printa("cpu_ms %s %@d\n", @cpu);
	printa("spread %s%@d", @spread);
}
