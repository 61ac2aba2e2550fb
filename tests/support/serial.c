/// Ends a test that starts a thread although tests/CMakeLists.txt lists it as serial. The linker
/// redirects the test's calls of pthread_create to this file.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *argument);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *argument) {
  (void)thread, (void)attributes, (void)start, (void)argument;
  fputs("this test starts a thread; remove it from the list of serial tests in "
        "tests/CMakeLists.txt\n",
        stderr);
  abort();
}
