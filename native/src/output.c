/* The callback of an audio device, and what it played for a recording. */
#include "player.h"

struct ts_output {
  ts_player *player;
  int32_t channels, room;
  float *ring; /* [room][channels] */
  _Atomic uint32_t head, tail, peak, shortest, longest;
  _Atomic int64_t lost, blocks, frames, underflows, overflows, time, latency;
};

typedef struct { /* PaStreamCallbackTimeInfo */
  double input, now, output;
} Times;

enum { INPUT_OVERFLOW = 2, OUTPUT_UNDERFLOW = 4, CONTINUE = 0 }; /* of portaudio.h */

typedef union {
  double value;
  int64_t bits;
} Double;
typedef union {
  float value;
  uint32_t bits; /* of sizes: in the order of the numbers */
} Single;

static int room_fits(int32_t room) { return room >= 0 && room <= 1 << 24 && (room & (room - 1)) == 0; }

size_t ts_output_size(int32_t room) { return room_fits(room) ? sizeof(ts_output) + 2 * (size_t)room * sizeof(float) + 4 * 128 : 0; }

ts_status ts_output_open(ts_player *player, int32_t channels, int32_t room, ts_memory *memory, ts_output **out) {
  if (!memory) return TS_ARGUMENT;
  memory->used = 0, memory->message[0] = 0;
  if (!player || !out || channels < 1 || channels > 2 || !room_fits(room)) return TS_ARGUMENT;
  Arena arena = {memory->base, memory->base ? memory->size : 0, 0, 0};
  ts_output *output = memory->base ? TAKE(&arena, ts_output, 1) : NULL;
  float *ring = output ? TAKE(&arena, float, (size_t)room * (size_t)channels) : NULL;
  memory->used = arena.peak;
  if (!ring) return TS_MEMORY;
  *output = (ts_output){.player = player, .channels = channels, .room = room, .ring = ring, .shortest = INT32_MAX};
  *out = output;
  return TS_OK;
}

static void count_up(_Atomic int64_t *number, int64_t by) {
  atomic_store_explicit(number, atomic_load_explicit(number, memory_order_relaxed) + by, memory_order_relaxed);
}

/* Keeps a block for ts_output_take, or counts it as lost: never a part of one. */
static void keep(ts_output *output, const float *samples, uint32_t frames) {
  const uint32_t tail = atomic_load_explicit(&output->tail, memory_order_relaxed), room = (uint32_t)output->room;
  if (!room) return;
  if (frames > room - (tail - atomic_load_explicit(&output->head, memory_order_acquire))) {
    count_up(&output->lost, frames);
    return;
  }
  const uint32_t channels = (uint32_t)output->channels;
  for (uint32_t i = 0; i < frames; i++)
    for (uint32_t c = 0; c < channels; c++) output->ring[((tail + i) & (room - 1)) * channels + c] = samples[i * channels + c];
  atomic_store_explicit(&output->tail, tail + frames, memory_order_release);
}

static float fill(ts_output *output, float *samples, uint32_t frames) {
  float left[CHUNK], right[CHUNK], peak = 0.0f;
  for (uint32_t done = 0; done < frames;) {
    const uint32_t count = frames - done < CHUNK ? frames - done : CHUNK;
    ts_player_process(output->player, left, right, (int32_t)count);
    for (uint32_t i = 0; i < count; i++) {
      const float a = left[i] < 0.0f ? -left[i] : left[i], b = right[i] < 0.0f ? -right[i] : right[i];
      peak = a > peak ? a : peak, peak = b > peak ? b : peak;
      if (output->channels == 2)
        samples[2 * (done + i)] = left[i], samples[2 * (done + i) + 1] = right[i];
      else
        samples[done + i] = 0.5f * (left[i] + right[i]);
    }
    done += count;
  }
  return peak;
}

static void note(ts_output *output, uint32_t frames, Single peak, const Times *times, unsigned long flags) {
  uint32_t before = atomic_load_explicit(&output->peak, memory_order_relaxed);
  while (peak.bits > before && /* ts_output_read sets it back */
         !atomic_compare_exchange_weak_explicit(&output->peak, &before, peak.bits, memory_order_relaxed, memory_order_relaxed)) {
  }
  if (frames < atomic_load_explicit(&output->shortest, memory_order_relaxed))
    atomic_store_explicit(&output->shortest, frames, memory_order_relaxed);
  if (frames > atomic_load_explicit(&output->longest, memory_order_relaxed))
    atomic_store_explicit(&output->longest, frames, memory_order_relaxed);
  if (flags & INPUT_OVERFLOW) count_up(&output->overflows, 1);
  if (flags & OUTPUT_UNDERFLOW) count_up(&output->underflows, 1);
  if (times) {
    const Double now = {.value = times->now}, latency = {.value = times->output - times->now};
    atomic_store_explicit(&output->time, now.bits, memory_order_relaxed);
    atomic_store_explicit(&output->latency, latency.bits, memory_order_relaxed);
  }
  count_up(&output->frames, frames);
  count_up(&output->blocks, 1);
}

int ts_output_callback(const void *input, void *samples, unsigned long frames, const void *times, unsigned long flags, void *data) {
  ts_output *output = data;
  (void)input;
  if (!output || !samples || frames > INT32_MAX / 2) return CONTINUE;
  const Single peak = {.value = fill(output, samples, (uint32_t)frames)};
  keep(output, samples, (uint32_t)frames);
  note(output, (uint32_t)frames, peak, times, flags);
  return CONTINUE;
}

int32_t ts_output_take(ts_output *output, float *samples, int32_t most, int64_t *lost) {
  const uint32_t head = atomic_load_explicit(&output->head, memory_order_relaxed), channels = (uint32_t)output->channels;
  const uint32_t ready = atomic_load_explicit(&output->tail, memory_order_acquire) - head;
  const uint32_t count = !samples || most < 0 ? 0 : ready < (uint32_t)most ? ready : (uint32_t)most;
  for (uint32_t i = 0; i < count; i++)
    for (uint32_t c = 0; c < channels; c++)
      samples[i * channels + c] = output->ring[((head + i) & ((uint32_t)output->room - 1)) * channels + c];
  atomic_store_explicit(&output->head, head + count, memory_order_release);
  if (lost) *lost = atomic_load_explicit(&output->lost, memory_order_relaxed);
  return (int32_t)count;
}

void ts_output_read(ts_output *output, ts_output_state *out) {
  const Single peak = {.bits = atomic_exchange_explicit(&output->peak, 0, memory_order_relaxed)};
  const Double time = {.bits = atomic_load_explicit(&output->time, memory_order_relaxed)};
  const Double latency = {.bits = atomic_load_explicit(&output->latency, memory_order_relaxed)};
  const uint32_t shortest = atomic_load_explicit(&output->shortest, memory_order_relaxed);
  *out = (ts_output_state){.peak = peak.value, .time = time.value, .latency = latency.value};
  out->blocks = atomic_load_explicit(&output->blocks, memory_order_relaxed);
  out->frames = atomic_load_explicit(&output->frames, memory_order_relaxed);
  out->underflows = atomic_load_explicit(&output->underflows, memory_order_relaxed);
  out->overflows = atomic_load_explicit(&output->overflows, memory_order_relaxed);
  out->shortest = out->blocks ? (int32_t)shortest : 0;
  out->longest = (int32_t)atomic_load_explicit(&output->longest, memory_order_relaxed);
}
