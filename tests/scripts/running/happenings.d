/* What happens besides Python: system calls, processes, time. */
#pragma D option quiet

tick-10ms
{
	ticks++;
}

profile-97hz
{
	samples++;
}

syscall::getppid:entry
/pid == $target/
{
	@asked[probefunc] = count();
	self->entered = 1;
}

syscall::getppid:return
/self->entered/
{
	@answered[probefunc] = count();
	self->entered = 0;
}

proc:::exec-success
/pid != $target/
{
	printf("exec %s\n", execname);
}

proc:::exit
/pid != $target/
{
	printf("exit\n");
}

END
{
	printa("%s asked %@d\n", @asked);
	printa("%s answered %@d\n", @answered);
	printf("ticks %d samples %d\n", ticks, samples);
}
