/// Counts the allocations of a test. Include it in one file of a test. It replaces the allocator of
/// the C library. With a sanitizer or without glibc it counts nothing (see counting_allocations).
#ifndef SUPPORT_ALLOCATIONS_H
#define SUPPORT_ALLOCATIONS_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COUNT_ALLOCATIONS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define COUNT_ALLOCATIONS 0
#endif
#endif
#ifndef COUNT_ALLOCATIONS
#ifdef __GLIBC__
#define COUNT_ALLOCATIONS 1
#else
#define COUNT_ALLOCATIONS 0
#endif
#endif

/// Calls of malloc and related functions by all threads so far.
static atomic_llong allocations_made;

static inline bool counting_allocations(void) {
  return COUNT_ALLOCATIONS;
}
static inline long long allocations(void) {
  return atomic_load(&allocations_made);
}

#if COUNT_ALLOCATIONS
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size) {
  atomic_fetch_add(&allocations_made, 1);
  return __libc_malloc(size);
}

void *calloc(size_t n, size_t size) {
  atomic_fetch_add(&allocations_made, 1);
  return __libc_calloc(n, size);
}

void *realloc(void *block, size_t size) {
  atomic_fetch_add(&allocations_made, 1);
  return __libc_realloc(block, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
  atomic_fetch_add(&allocations_made, 1);
  return __libc_memalign(alignment, size);
}
#endif

#endif
