BEGIN { trace("begun"); i = 3; }

python7:::function-entry
/copyinstr(arg1) != "skipped"/
{
	trace(arg2);
	trace((int)arg2);
	trace(copyinstr(arg1));
}

python7:::function-entry
{
	i = i - 5;
	u = timestamp;
	@a[(int)arg2, copyinstr(arg1)] = max(arg2);
	@[i < 0, u > 5] = avg(arg2);
}

python7:::function-return { }

python8:::function-entry { printf("another process"); }

END { printf("%d %u %x %s|%5s|%-5s|%c", i, i, i, "s", "abc", "abc", 65); printa(@a); }
