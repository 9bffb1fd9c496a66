BEGIN
{
	a = "text";
	a = 1;
	b = 1;
	b = "text";
	printf("%s\n", pid);
	printf("%d\n", execname);
	printf("%d %d\n", 1);
	printf("%d\n", 1, 2);
	printf("%f\n", 1);
	printf(a);
	c = a + 1;
	d = a == 1;
}
