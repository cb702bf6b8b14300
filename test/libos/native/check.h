/*
 * CHECK for native tests that use the C library's own headers (stand_ins.h is for those that cannot): the first failure ends the test.
 */
#ifndef HULL_TEST_CHECK_H
#define HULL_TEST_CHECK_H
#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                                                                                \
    do {                                                                                                                \
        if (!(condition)) {                                                                                             \
            fprintf(stderr, "%s:%d: expected %s\n", __FILE__, __LINE__, #condition);                                    \
            exit(1);                                                                                                    \
        }                                                                                                               \
    } while (0)
#endif
