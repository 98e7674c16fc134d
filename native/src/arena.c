/* Memory in one block of the caller's. */
#include "base.h"

enum { ALIGNMENT = 64 };

void *arena_take(Arena *arena, size_t count, size_t size) {
  size_t bytes, padding, end;
  uintptr_t at = (uintptr_t)arena->base + arena->used;
  if (__builtin_mul_overflow(count, size, &bytes)) return NULL;
  padding = (size_t)(-at & (ALIGNMENT - 1)); /* the block itself may begin anywhere */
  if (__builtin_add_overflow(arena->used, padding, &end) || __builtin_add_overflow(end, bytes, &end)) return NULL;
  if (!arena->base) { /* sizes alone: what a block that begins at an unlucky address would need */
    if (__builtin_add_overflow(end, ALIGNMENT, &bytes)) return NULL;
    if (arena->peak < bytes) arena->peak = bytes;
    arena->used = end;
    return NULL;
  }
  if (end > arena->size) return NULL;
  if (arena->peak < end) arena->peak = end;
  arena->used = end;
  return arena->base + (end - count * size);
}
