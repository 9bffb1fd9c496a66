/* A thread that does nothing but look at the clock, without the GIL: it notes when it did not run. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* How long this thread has waited for a CPU so far, ns. */
static uint64_t waited(int schedstat)
{
    char text[128], *end;
    ssize_t length = pread(schedstat, text, sizeof text - 1, 0);
    if (length <= 0)
        return 0;
    text[length] = 0;
    strtoull(text, &end, 10);
    return strtoull(end, NULL, 10);
}

/* Notes gaps of at least `least` ns as triples (begin, length, of which it waited for a CPU) until `*stop`; gives their
 * number. */
int watch(uint64_t (*gaps)[3], int room, uint64_t least, volatile int *stop)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%ld/schedstat", syscall(SYS_gettid));
    int schedstat = open(path, O_RDONLY | O_CLOEXEC), count = 0;
    uint64_t before = waited(schedstat), last = now();
    while (!*stop && count < room) {
        uint64_t time = now();
        if (time - last >= least) {
            uint64_t after = waited(schedstat);
            gaps[count][0] = last;
            gaps[count][1] = time - last;
            gaps[count][2] = after - before;
            count++;
            before = after;
            time = now();
        }
        last = time;
    }
    close(schedstat);
    return count;
}
