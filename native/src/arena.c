/* Memory in one block of the caller's. */
#include "base.h"

enum { ALIGNMENT = 64 };

#if defined(__SANITIZE_ADDRESS__) /* what is taken has a gap behind it that may not be touched: an overrun ends the test */
void __asan_poison_memory_region(void const volatile *at, size_t size);
void __asan_unpoison_memory_region(void const volatile *at, size_t size);
enum { GAP = 64 };
static void guard(unsigned char *at, size_t size) {
  __asan_unpoison_memory_region(at, size);
  __asan_poison_memory_region(at + size, GAP);
}
#else
enum { GAP = 0 };
static void guard(unsigned char *at, size_t size) { (void)at, (void)size; }
#endif

void *arena_take(Arena *arena, size_t count, size_t size) {
  size_t bytes, padding, end;
  uintptr_t at = (uintptr_t)arena->base + arena->used;
  if (__builtin_mul_overflow(count, size, &bytes)) return NULL;
  padding = (size_t)(-at & (ALIGNMENT - 1)); /* the block itself may begin anywhere */
  if (__builtin_add_overflow(arena->used, padding + GAP, &end) || __builtin_add_overflow(end, bytes, &end)) return NULL;
  if (!arena->base) { /* sizes alone: what a block that begins at an unlucky address would need */
    if (__builtin_add_overflow(end, ALIGNMENT, &bytes)) return NULL;
    if (arena->peak < bytes) arena->peak = bytes;
    arena->used = end;
    return NULL;
  }
  if (end > arena->size) return NULL;
  if (arena->peak < end) arena->peak = end;
  arena->used = end;
  guard(arena->base + (end - GAP - bytes), bytes);
  return arena->base + (end - GAP - bytes);
}
