/* What runs, sampled. */
#pragma D option quiet
#define RATE 997

profile-RATE
/pid == $target/
{
	@stacks[jstack(2)] = count();
	@names[execname] = count();
}

END
{
	printa(@stacks);
	printa("name %s %@d\n", @names);
}
