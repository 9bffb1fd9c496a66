/* A program that gets Python only at run time: it loads the libpython named by
 * PTPYTRACE_LIBPYTHON with dlopen and then behaves as `python FILE ARGS`.
 * RTLD_GLOBAL, because Python's extension modules look up the C API in the global scope. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    const char *path = getenv("PTPYTRACE_LIBPYTHON");
    if (path == NULL) {
        fprintf(stderr, "dlopen_embed: PTPYTRACE_LIBPYTHON names no libpython\n");
        return 2;
    }
    void *library = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
    if (library == NULL) {
        fprintf(stderr, "dlopen_embed: %s\n", dlerror());
        return 2;
    }
    int (*bytes_main)(int, char **);
    /* The cast through void ** is POSIX's own advice for a function found with dlsym. */
    *(void **)&bytes_main = dlsym(library, "Py_BytesMain");
    if (bytes_main == NULL) {
        fprintf(stderr, "dlopen_embed: %s\n", dlerror());
        return 2;
    }
    return bytes_main(argc, argv);
}
