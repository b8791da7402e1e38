/*
 * attributes.h - the compiler's attributes, so that no other file of preload/ spells them.
 */
#ifndef DAYTONA_PRELOAD_ATTRIBUTES_H
#define DAYTONA_PRELOAD_ATTRIBUTES_H

/** Visible outside the library; everything else is hidden. */
#define ATTRIBUTE_PUBLIC __attribute__((visibility("default")))

/** Thread-local without a call into the loader: usable in a signal handler, and before the
 *  C library can allocate. */
#define ATTRIBUTE_THREAD _Thread_local __attribute__((tls_model("initial-exec")))

/** The function's symbol is `symbol` instead of its name in C. */
#define ATTRIBUTE_SYMBOL(symbol) __asm__(symbol)

/** Another symbol for `symbol`, which the same file defines. */
#define ATTRIBUTE_ALIAS(symbol) __attribute__((alias(symbol)))

/** Runs when the library is loaded, before constructors without a number. */
#define ATTRIBUTE_CONSTRUCTOR __attribute__((constructor(101)))

/** Runs when the program exits, after the destructors without a number. */
#define ATTRIBUTE_DESTRUCTOR __attribute__((destructor(101)))

/** Arguments are checked like printf's: `text` and `first` count from 1. */
#define ATTRIBUTE_PRINTF(text, first) __attribute__((format(printf, text, first)))

#endif
