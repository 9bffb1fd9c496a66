/* Functions of strings, as the Dynamic Tracing Guide describes them. */

#pragma D option quiet

BEGIN
{
        printf("%s %s %s [%s]\n", strtok("a,b;c", ",;"), strtok(NULL, ",;"), strtok(NULL, ",;"), strtok(NULL, ",;"));
        printf("%s %s\n", strtok("x y", " "), strtok("", " "));
        printf("%s %s\n", substr("hello", 1, 3), substr("hello", -2));
        printf("%d %d %d\n", index("hello", "l"), rindex("hello", "l"), index("hello", "z"));
        printf("%s %s\n", strchr("hello", 'l'), strrchr("hello", 'l'));
        printf("%s %s\n", basename("/a/b.py"), dirname("/a/b.py"));
        printf("%d %d\n", strtoll("12abc"), strlen(strjoin("ab", "cde")));
}
