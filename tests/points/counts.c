/* Counts itself what tracers count, and prints it: one "name count" a line. The first word of the command line says what
   to do. */
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define HERE __attribute__((noinline, noclone))

static int global = 3;

/* Begins with an instruction that refers to its own address. */
HERE int get_global(void) {
    int value = global;
    __asm__ volatile("" ::: "memory");
    return value;
}

HERE long sum_six(long a, long b, long c, long d, long e, long f, long g) {
    __asm__ volatile("");
    return a + b + c + d + e + f + g;
}

HERE long factorial(long n) {
    __asm__ volatile("");
    if (n < 2) return 1;
    return n * factorial(n - 1);
}

static jmp_buf back;
HERE void jumps(int n) {
    __asm__ volatile("");
    if (n == 0) longjmp(back, 1);
    jumps(n - 1);
    __asm__ volatile("");
}

HERE long greet(const char *text) {
    __asm__ volatile("");
    return (long)strlen(text);
}

/* Begins with a call, and calls twice in a row. */
__asm__(".globl calls_first\n.type calls_first,@function\ncalls_first:\n"
        "call get_global\ncall get_global\nret\n.size calls_first,.-calls_first\n");
int calls_first(void);

static void *thread(void *argument) {
    for (int i = 0; i < 200; i++) {
        factorial(3);
        get_global();
    }
    return argument;
}

static void functions(void) {
    int global_calls = 0, jumped = 0;
    for (int i = 0; i < 50; i++) global_calls += get_global() == 3;
    for (int i = 0; i < 10; i++) global_calls += 2 * (calls_first() == 3);
    printf("factorial %ld\n", factorial(10));
    printf("sum %ld\n", sum_six(1, -2, 3, 4, 5, 6, 7));
    printf("greet %ld\n", greet("good day"));
    for (volatile int i = 0; i < 5; i++) {
        if (setjmp(back) == 0) jumps(3);
        else jumped++;
    }
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, thread, NULL);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        factorial(4);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    printf("global %d\njumped %d\n", global_calls, jumped);
}

static volatile int signals;
static void handler(int signal) { (void)signal; signals++; }

static void system_calls(void) {
    signal(SIGUSR1, handler);
    for (int i = 0; i < 100; i++) syscall(SYS_getppid);
    for (int i = 0; i < 7; i++) syscall(SYS_close, -1L);
    for (int i = 0; i < 3; i++) raise(SIGUSR1);
    printf("signals %d\n", signals);
}

static void processes(char **words) {
    printf("self %d\n", getpid());
    fflush(stdout);
    for (int i = 0; i < 3; i++) {
        pid_t child = fork();
        if (child == 0) {
            if (i == 2) raise(SIGKILL);
            if (i == 1) execl(words[0], words[0], "nothing", NULL);
            _exit(10 + i);
        }
        int status;
        waitpid(child, &status, 0);
        printf("child %d\n", child);
    }
    pthread_t one;
    pthread_create(&one, NULL, thread, NULL);
    pthread_join(one, NULL);
}

int main(int count, char **words) {
    if (count < 2) return 1;
    if (strcmp(words[1], "functions") == 0) functions();
    else if (strcmp(words[1], "calls") == 0) system_calls();
    else if (strcmp(words[1], "processes") == 0) processes(words);
    return 7;
}
