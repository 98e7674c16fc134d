/* Phase from magnitudes: phase-gradient heap integration (Prusa, Balazs and Sondergaard 2017), see phase/pghi.py.

   Cells are visited from the loudest outward. The queue has a list for each of 4,096 levels, the newest cell of a level first, and bits
   over the lists that are not empty: adding and taking the loudest cell takes the same few steps however many are waiting.
   Phases are in turns of 2^-32, so that whole turns vanish by themselves. */
#include "phase.h"

enum { LISTS = 4096 };
static const float LISTS_PER_NEPER = 177.8f; /* levels from -23.03 (1e-10) to 0 */
static const float TOLERANCE = 1e-4f, LEAST = 1e-10f;
static const double GAMMA = 0.25645, TURN = 4294967296.0; /* gamma / n_fft^2 of a Hann window */

typedef struct {
  uint64_t some, bits[LISTS / 64]; /* words with a list that is not empty; lists that are not empty */
  int32_t first[LISTS];
  int32_t *next;
} Queue;

INLINE int list_of(float level) {
  int list = (int)(-level * LISTS_PER_NEPER);
  return list < LISTS - 1 ? list : LISTS - 1;
}

INLINE void push(Queue *queue, int32_t cell, float level) {
  int list = list_of(level), word = list >> 6;
  queue->next[cell] = queue->bits[word] >> (list & 63) & 1 ? queue->first[list] : -1;
  queue->first[list] = cell;
  queue->bits[word] |= (uint64_t)1 << (list & 63);
  queue->some |= (uint64_t)1 << word;
}

INLINE int32_t pop(Queue *queue) {
  int word = __builtin_ctzll(queue->some), list = word * 64 + __builtin_ctzll(queue->bits[word]);
  int32_t cell = queue->first[list];
  queue->first[list] = queue->next[cell];
  if (queue->next[cell] < 0) {
    queue->bits[word] &= queue->bits[word] - 1;
    if (queue->bits[word] == 0) queue->some &= queue->some - 1;
  }
  return cell;
}

typedef struct {
  const Phase *phase;
  const float *level; /* [frame][bins], log magnitude under the loudest */
  int frames, bins;
  double per_bin, per_frame; /* turns of a unit slope of the level */
  uint32_t *turns;
  unsigned char *known;
  Queue *queue;
} Field;

INLINE uint32_t whole(double turns) { return (uint32_t)(int64_t)(turns * TURN); }

/* The slope of the level over frames, twice that; one-sided at the ends. */
INLINE float slope_over_frames(const Field *field, int32_t cell, int frame) {
  const float *at = field->level + cell;
  if (field->frames < 2) return 0.0f;
  if (frame == 0) return 2.0f * (at[field->bins] - at[0]);
  if (frame == field->frames - 1) return 2.0f * (at[0] - at[-field->bins]);
  return at[field->bins] - at[-field->bins];
}

/* The slope of the level over bins, twice that; 0 at the lowest and highest, where the spectrum is symmetric. */
INLINE float slope_over_bins(const Field *field, int32_t cell, int bin) {
  return bin == 0 || bin == field->bins - 1 ? 0.0f : field->level[cell + 1] - field->level[cell - 1];
}

/* The phase of a neighbour in frequency, one bin above `low`, less that of `low`: half a turn, and the delay of the group. */
INLINE uint32_t step_over_bins(const Field *field, int32_t low, int frame) {
  float slopes = slope_over_frames(field, low, frame) + slope_over_frames(field, low + 1, frame);
  return whole(0.5 - field->per_bin * 0.25 * (double)slopes);
}

INLINE uint32_t step_over_frames(const Field *field, int32_t early, int bin) {
  float slopes = slope_over_bins(field, early, bin) + slope_over_bins(field, early + field->bins, bin);
  return whole(field->phase->turns[bin] + field->per_frame * 0.25 * (double)slopes);
}

INLINE void reach(const Field *field, int32_t cell, uint32_t turns) {
  field->turns[cell] = turns, field->known[cell] = 1;
  push(field->queue, cell, field->level[cell]);
}

/* Everything that is connected with the cells that wait, which have their phases. */
static void spread(const Field *field) {
  Queue *queue = field->queue;
  const unsigned char *known = field->known;
  while (queue->some != 0) {
    int32_t cell = pop(queue);
    int frame = cell / field->bins, bin = cell - frame * field->bins;
    uint32_t here = field->turns[cell];
    if (bin + 1 < field->bins && !known[cell + 1]) reach(field, cell + 1, here + step_over_bins(field, cell, frame));
    if (bin > 0 && !known[cell - 1]) reach(field, cell - 1, here - step_over_bins(field, cell - 1, frame));
    int32_t after = cell + field->bins, before = cell - field->bins;
    if (frame + 1 < field->frames && !known[after]) reach(field, after, here + step_over_frames(field, cell, bin));
    if (frame > 0 && !known[before]) reach(field, before, here - step_over_frames(field, before, bin));
  }
}

static void flood(const Field *field, int32_t start) {
  field->queue->some = 0;
  push(field->queue, start, field->level[start]);
  spread(field);
}

/* From all cells whose phases are given; those beside unknown ones suffice. */
static void flood_given(const Field *field, const unsigned char *given, float least, const float *magnitude) {
  int32_t cells = (int32_t)field->frames * field->bins, bins = field->bins;
  field->queue->some = 0;
  for (int32_t i = 0; i < cells; i++)
    if (given[i] && magnitude[i] > least) field->known[i] = 1;
  for (int32_t i = 0, bin = 0; i < cells; i++, bin = bin + 1 == bins ? 0 : bin + 1) {
    if (!given[i] || !(magnitude[i] > least)) continue;
    const unsigned char *known = field->known + i;
    int inside = (i < bins || known[-bins]) && (i >= cells - bins || known[bins]) && (bin == 0 || known[-1]) && (bin + 1 == bins || known[1]);
    if (!inside) push(field->queue, i, field->level[i]);
  }
  spread(field);
}

/* The random phase of a cell: number `cell` of the stream of initial phases. Blocks of four are kept: the next cell is often in the same. */
typedef struct {
  Noise noise;
  uint64_t first, block; /* counter of the stream's beginning; number of the block that is kept */
} Random;

static void random_open(Random *random, uint64_t seed) {
  noise_open(&random->noise, seed, NOISE_PHASE, 0, 0, 0);
  random->first = random->noise.counter[0], random->block = UINT64_MAX;
}

static uint32_t random_turns(Random *random, uint64_t cell) {
  if (random->block != cell / 4) {
    random->noise.counter[0] = random->first + cell / 4, random->noise.next = 4;
    noise_word(&random->noise);
    random->block = cell / 4;
  }
  return (uint32_t)(random->noise.block[cell % 4] >> 32);
}

/* The cells that are not known yet, by list, those of one list in order. Returns their number. */
static int32_t sort_unknown(const Field *field, size_t cells, int32_t *order, int32_t *starts) {
  memset(starts, 0, (LISTS + 1) * sizeof *starts);
  for (size_t i = 0; i < cells; i++)
    if (!field->known[i]) starts[list_of(field->level[i]) + 1]++;
  for (int i = 0; i < LISTS; i++) starts[i + 1] += starts[i];
  int32_t count = starts[LISTS];
  for (size_t i = 0; i < cells; i++)
    if (!field->known[i]) order[starts[list_of(field->level[i])]++] = (int32_t)i;
  return count;
}

Status phase_integrate(const Phase *phase, const Target *target, uint64_t seed, uint32_t *turns, Arena *work) {
  return phase_integrate_from(phase, target, seed, NULL, turns, work);
}

Status phase_integrate_from(const Phase *phase, const Target *target, uint64_t seed, const unsigned char *given, uint32_t *turns, Arena *work) {
  const View *view = &phase->view;
  size_t bins = (size_t)view->bins, cells = (size_t)target->frames * bins, used = work->used;
  if (cells > INT32_MAX) return TS_ARGUMENT;
  float *level = TAKE(work, float, cells + 8);
  unsigned char *known = TAKE(work, unsigned char, cells);
  Queue *queue = TAKE(work, Queue, 1);
  int32_t *order = TAKE(work, int32_t, cells), *starts = TAKE(work, int32_t, LISTS + 1);
  if (queue != NULL) queue->next = TAKE(work, int32_t, cells);
  if (!level || !known || !queue || !order || !starts || !queue->next) return work->used = used, TS_MEMORY;
  memset(queue->bits, 0, sizeof queue->bits);
  Field field = {.phase = phase, .level = level, .frames = target->frames, .bins = (int)bins, .turns = turns, .known = known};
  field.queue = queue;
  double n = (double)view->n_fft, hop = (double)view->hop;
  field.per_bin = GAMMA * n / hop * 0x1.45f306dc9c883p-3, field.per_frame = hop / (GAMMA * n) * 0x1.45f306dc9c883p-3; /* / 2 pi */
  const float *magnitude = target->magnitude;
  float least = TOLERANCE * target->loudest;
  F8 loudest = all8(target->loudest);
  for (size_t i = 0; i < cells; i += 8) /* magnitudes are filled up to whole groups */
    store8(level + i, log8(max8(load8(magnitude + i) / loudest, all8(LEAST))));
  size_t start = 0;
  Random random;
  random_open(&random, seed);
  for (size_t i = 0; i < cells; i++) {
    known[i] = !(magnitude[i] > least);
    if (magnitude[i] > magnitude[start]) start = i;
    if (given != NULL && given[i]) continue;
    if (known[i] && magnitude[i] > 0.0f) turns[i] = random_turns(&random, i);
    else if (known[i]) turns[i] = 0;
  }
  if (given != NULL) flood_given(&field, given, least, magnitude);
  if (!known[start]) turns[start] = 0, known[start] = 1, flood(&field, (int32_t)start);
  int32_t count = sort_unknown(&field, cells, order, starts);
  for (int32_t i = 0; i < count; i++) {
    if (known[order[i]]) continue;
    turns[order[i]] = random_turns(&random, (uint64_t)order[i]), known[order[i]] = 1;
    flood(&field, order[i]);
  }
  work->used = used;
  return TS_OK;
}
