/* Without a C library: the three functions of string.h that the core uses, as the compiler's own. */
#ifndef TS_STRING_H
#define TS_STRING_H
#define memcpy __builtin_memcpy
#define memmove __builtin_memmove
#define memset __builtin_memset
#endif
