#pragma D option quiett
#pragma D option aggsortrev
BEGIN
{
	trace(timestmp);
	x = curthread->t_did;
	self->depth = 1;
	trace(depth);
	y = basname("a/b");
	stack();
	system("ls");
	@c = cuont();
	@d = count();
	@d = sum(1);
	printa(@nosuch);
}

fbt::read:entry { }
proc:::exec-failure { }
pid$target:::12 { }
17 { }
tick-0s { }
nosuch:::a:b { }
