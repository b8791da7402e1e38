/*
 * poison.h - tells AddressSanitizer which bytes of the donated region are in no block, so that
 * a use after memory_return() is found like a use after free(). Nothing without it.
 */
#ifndef STACK_BASE_POISON_H
#define STACK_BASE_POISON_H

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define STACK_POISONS 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define STACK_POISONS 1
#endif

#ifdef STACK_POISONS
#include <stddef.h>
/* As <sanitizer/asan_interface.h> declares them. */
void __asan_poison_memory_region(const volatile void *start, size_t length);
void __asan_unpoison_memory_region(const volatile void *start, size_t length);
#define poison_bytes(start, length)   __asan_poison_memory_region(start, length)
#define unpoison_bytes(start, length) __asan_unpoison_memory_region(start, length)
#else
#define poison_bytes(start, length)   ((void)(start), (void)(length))
#define unpoison_bytes(start, length) ((void)(start), (void)(length))
#endif

#endif
