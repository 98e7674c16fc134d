/* Commands from one thread to another without locks (Lamport 1983, one producer and one consumer), and those that wait for their time. */
#include "player.h"

Status queue_open(Queue *queue, int32_t size, Arena *arena) {
  uint32_t power = 64;
  while (power < (uint32_t)size) power *= 2;
  queue->ring = TAKE(arena, Command, power), queue->slots = TAKE(arena, Command, power);
  queue->heap = TAKE(arena, Waiting, power), queue->spare = TAKE(arena, uint32_t, power);
  if (!queue->ring || !queue->slots || !queue->heap || !queue->spare) return TS_MEMORY;
  queue->size = power, queue->waiting = 0, queue->taken = 0;
  for (uint32_t i = 0; i < power; i++) queue->spare[i] = i;
  atomic_init(&queue->head, 0);
  atomic_init(&queue->tail, 0);
  return TS_OK;
}

/* All of them or none: they are seen at once. */
Status queue_put(Queue *queue, const Command *commands, uint32_t count) {
  const uint32_t tail = atomic_load_explicit(&queue->tail, memory_order_relaxed);
  const uint32_t used = tail - atomic_load_explicit(&queue->head, memory_order_acquire);
  if (count > queue->size - used) return TS_MEMORY;
  for (uint32_t i = 0; i < count; i++) queue->ring[(tail + i) & (queue->size - 1)] = commands[i];
  atomic_store_explicit(&queue->tail, tail + count, memory_order_release);
  return TS_OK;
}

static int before(const Waiting *a, const Waiting *b) {
  return a->time != b->time ? a->time < b->time : (int32_t)(a->number - b->number) < 0;
}

/* Takes new commands over: those of the past are due now, in their order. */
void queue_take(Queue *queue, int64_t now) {
  uint32_t head = atomic_load_explicit(&queue->head, memory_order_relaxed);
  const uint32_t tail = atomic_load_explicit(&queue->tail, memory_order_acquire);
  for (; head != tail && queue->waiting < queue->size; head++) {
    const uint32_t slot = queue->spare[queue->waiting];
    Command *command = queue->slots + slot;
    *command = queue->ring[head & (queue->size - 1)];
    const Waiting new = {command->time > now ? command->time : now, queue->taken++, slot};
    uint32_t at = queue->waiting++;
    for (; at > 0 && before(&new, queue->heap + (at - 1) / 2); at = (at - 1) / 2) queue->heap[at] = queue->heap[(at - 1) / 2];
    queue->heap[at] = new;
  }
  atomic_store_explicit(&queue->head, head, memory_order_release);
}

int64_t queue_next(const Queue *queue) { return queue->waiting ? queue->heap[0].time : NEVER; }

const Command *queue_pop(Queue *queue) {
  const uint32_t slot = queue->heap[0].slot;
  const Waiting last = queue->heap[--queue->waiting];
  queue->spare[queue->waiting] = slot;
  uint32_t at = 0;
  for (;;) {
    uint32_t child = 2 * at + 1;
    if (child >= queue->waiting) break;
    if (child + 1 < queue->waiting && before(queue->heap + child + 1, queue->heap + child)) child++;
    if (!before(queue->heap + child, &last)) break;
    queue->heap[at] = queue->heap[child];
    at = child;
  }
  queue->heap[at] = last;
  return queue->slots + slot;
}
