/* The engine without Roost: inserts the text of a file through libchdb's C ABI, over and over.
 *
 * straight <libchdb.so> <data directory> <CREATE TABLE …>
 * Each line on standard input, `<threads> <inserts> <file>`, is a run: so many inserts in all of the
 * whole file, as `INSERT INTO straight.events FORMAT JSONEachRow`, one at a time on each thread. The answer
 * is a line with the seconds that it took. Any failure ends the program with a message. */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef void *(*query_call)(void *, const char *, size_t, const char *, size_t);
typedef const char *(*error_call)(void *);
typedef void (*destroy_call)(void *);
typedef void **(*connect_call)(int, char **);

static query_call query;
static error_call error_of;
static destroy_call destroy;
static connect_call open_connection;
static char data_path[4096];

static const char head[] = "INSERT INTO straight.events FORMAT JSONEachRow\n";
static char *statement;
static size_t statement_length;
static long left;

static void fail(const char *what) {
    fprintf(stderr, "straight: %s\n", what);
    exit(1);
}

static void *symbol(void *library, const char *name) {
    void *found = dlsym(library, name);
    if (!found) fail(name);
    return found;
}

static void *open_engine(void) {
    char *arguments[] = {"clickhouse", data_path, "--max_insert_threads=1", "--background_pool_size=2"};
    void **connection = open_connection(4, arguments);
    if (!connection) fail("cannot open the data directory");
    return *connection;
}

static void run(void *connection, const char *sql, size_t length) {
    void *result = query(connection, sql, length, "Null", 4);
    const char *error = error_of(result);
    if (error) fail(error);
    destroy(result);
}

static void *insert(void *connection) {
    while (__atomic_sub_fetch(&left, 1, __ATOMIC_RELAXED) >= 0) run(connection, statement, statement_length);
    return NULL;
}

static void read_statement(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END)) fail(path);
    size_t length = (size_t)ftell(file);
    rewind(file);
    free(statement);
    statement_length = sizeof head - 1 + length;
    statement = malloc(statement_length);
    if (!statement) fail("no memory");
    memcpy(statement, head, sizeof head - 1);
    if (fread(statement + sizeof head - 1, 1, length, file) != length) fail(path);
    fclose(file);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

enum { MOST_THREADS = 64 };

int main(int count, char **arguments) {
    if (count != 4) fail("wants a library, a directory and a CREATE TABLE");
    /* An INSERT of the library reads whatever standard input has. */
    FILE *orders = fdopen(dup(STDIN_FILENO), "r");
    int nothing = open("/dev/null", O_RDONLY);
    if (!orders || nothing < 0 || dup2(nothing, STDIN_FILENO) < 0) fail("no standard input");
    void *library = dlopen(arguments[1], RTLD_NOW);
    if (!library) fail(dlerror());
    open_connection = (connect_call)symbol(library, "chdb_connect");
    query = (query_call)symbol(library, "chdb_query_n");
    error_of = (error_call)symbol(library, "chdb_result_error");
    destroy = (destroy_call)symbol(library, "chdb_destroy_query_result");
    snprintf(data_path, sizeof data_path, "--path=%s", arguments[2]);
    void *connections[MOST_THREADS];
    for (int number = 0; number < MOST_THREADS; number++) connections[number] = open_engine();
    /* The default database would take a name for that of a file. */
    static const char database[] = "CREATE DATABASE straight";
    run(connections[0], database, sizeof database - 1);
    run(connections[0], arguments[3], strlen(arguments[3]));

    int threads;
    char path[4096];
    while (fscanf(orders, "%d %ld %4095s", &threads, &left, path) == 3) {
        if (threads < 1 || threads > MOST_THREADS) fail("threads out of range");
        read_statement(path);
        pthread_t running[MOST_THREADS];
        double began = now();
        for (int number = 0; number < threads; number++)
            if (pthread_create(&running[number], NULL, insert, connections[number])) fail("no thread");
        for (int number = 0; number < threads; number++) pthread_join(running[number], NULL);
        printf("%.6f\n", now() - began);
        fflush(stdout);
    }
    _Exit(0);
}
