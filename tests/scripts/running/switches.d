#define SHOUT(x) strjoin(x, "!")
#pragma D option quiet
#ifdef WANTED
python$target:::function-entry
/copyinstr(arg1) == WANTED/
{
	printf("%s\n", SHOUT(copyinstr(arg1)));
}
#else
BEGIN { printf("nothing wanted\n"); exit(0); }
#endif
