/* The phase search: relaxed averaged alternating reflections (Luke 2005), then Griffin-Lim with momentum, see phase/{raar,griffin_lim}.py.

   A step goes through the groups of eight frames once: group g is made to samples and added to the sound, then group g - 1, which is
   complete by then, is transformed again. What a group needs stays in the cache. */
#include "phase.h"

static const float LEAST_OVERLAP = 0.2f, LEAST_POWER = 1e-20f, MOST_GAIN = 1e6f, MOMENTUM = 0.9f;

typedef struct {
  const Phase *phase;
  const Target *target;
  size_t bins, bands, n, hop, padded; /* padded: samples with half a window before and what the last group reaches behind */
  size_t size;                        /* numbers of a group: bins * 2 * 8 */
  float *spectrum, *before;           /* [group][bin][2][8] */
  float *gain;                        /* [group][band][8] of the last projection */
  float *sound, *weight;              /* [padded] */
  float *lanes, *bins_of;             /* scratch: [n][8], [bin][2][8] */
  float *aim;                         /* [group][bin][8]: magnitudes, where the search is to those of bins; NULL: to the power of bands */
} Search;

/* The initial spectrum: magnitudes with their phases. */
static void start(const Search *search, const uint32_t *turns) {
  size_t bins = search->bins, frames = (size_t)search->target->frames;
  for (size_t g = 0; g < (size_t)search->target->groups; g++) {
    float *out = search->spectrum + g * search->size;
    size_t first = g * LANE, count = frames - first < LANE ? frames - first : LANE;
    for (size_t i = 0; i < bins; i++, out += 16) {
      I8 phases = {0};
      F8 size = all8(0), sine, cosine;
      for (size_t k = 0; k < count; k++) {
        size_t cell = (first + k) * bins + i;
        phases[k] = (int32_t)turns[cell], size[k] = search->target->magnitude[cell];
      }
      sincos_turns8(__builtin_convertvector(phases, F8) * 0x1p-32f, &sine, &cosine);
      store8(out, size * cosine), store8(out + 8, size * sine);
    }
  }
}

/* The inverse of the sum of squared windows over each sample; 0 before and after the sound. */
static void weigh(const Search *search, size_t samples) {
  const float *window = search->phase->window;
  float *weight = search->weight;
  memset(weight, 0, search->padded * sizeof *weight);
  for (size_t t = 0; t < (size_t)search->target->frames; t++)
    for (size_t i = 0; i < search->n; i += 8)
      store8(weight + t * search->hop + i, load8(weight + t * search->hop + i) + load8(window + i) * load8(window + i));
  for (size_t i = 0; i < search->padded; i++) {
    float sum = weight[i] > LEAST_OVERLAP ? weight[i] : LEAST_OVERLAP;
    weight[i] = i < search->n / 2 || i >= search->n / 2 + samples ? 0.0f : 1.0f / sum;
  }
}

/* The gain of each band that gives a group the power it is to have. */
static void gains_of(const Search *search, size_t g, const float *spectrum) {
  const int32_t *edges = search->phase->view.edges;
  size_t first = g * search->bands * LANE;
  for (size_t b = 0; b < search->bands; b++) {
    F8 power = all8(0);
    for (const float *at = spectrum + 16 * (size_t)edges[b]; at < spectrum + 16 * (size_t)edges[b + 1]; at += 16) {
      F8 re = load8(at), im = load8(at + 8);
      power += re * re + im * im;
    }
    F8 least = load8(search->target->least + first + b * LANE), most = load8(search->target->most + first + b * LANE);
    F8 ratio = min8(max8(power, least), most) / max8(power, all8(LEAST_POWER));
    store8(search->gain + first + b * LANE, sqrt8(min8(ratio, all8(MOST_GAIN))));
  }
}

/* out = spectrum * (scale * gain + rest), band by band. */
INLINE void scaled(const Search *search, size_t g, const float *spectrum, float scale, float rest, float *out) {
  const int32_t *edges = search->phase->view.edges;
  const float *gain = search->gain + g * search->bands * LANE;
  for (size_t b = 0; b < search->bands; b++) {
    F8 factor = load8(gain + b * LANE) * scale + rest;
    for (size_t i = 16 * (size_t)edges[b]; i < 16 * (size_t)edges[b + 1]; i += 16) {
      store8(out + i, load8(spectrum + i) * factor), store8(out + i + 8, load8(spectrum + i + 8) * factor);
    }
  }
}

/* Adds a group of frames to the sound. */
static void add_group(const Search *search, size_t g, const float *spectrum) {
  fft_inverse_lanes(search->phase->fft, spectrum, search->lanes);
  lanes_overlap_add(search->lanes, search->n, search->phase->window, search->sound + g * LANE * search->hop, search->hop);
}

/* The spectrum of a group of the sound, into bins_of; frames beyond the last are silent. */
static void spectrum_of_group(const Search *search, size_t g) {
  size_t first = g * LANE * search->hop, own = LANE * search->hop, frames = (size_t)search->target->frames - g * LANE;
  /* What no later group adds to is weighted once, before its first use; the first group has half a window more before it. */
  float *sound = search->sound, *weight = search->weight;
  size_t from = g == 0 ? 0 : first + search->n - search->hop, to = first + own + search->n - search->hop;
  if (to > search->padded) to = search->padded;
  for (size_t i = from; i < to; i += 8) store8(sound + i, load8(sound + i) * load8(weight + i));
  lanes_gather(sound + first, search->hop, search->phase->window, search->lanes, search->n);
  fft_forward_lanes(search->phase->fft, search->lanes, search->bins_of);
  if (frames >= LANE) return;
  for (size_t i = 0; i < search->size; i += 8)
    for (size_t k = frames; k < LANE; k++) search->bins_of[i + k] = 0.0f;
}


static void raar_give(const Search *search, size_t g) { /* the reflection 2 P x - x */
  const float *x = search->spectrum + g * search->size;
  scaled(search, g, x, 2.0f, -1.0f, search->bins_of);
}

static float relaxation_of(int steps) {
  double relaxation = 1.0 - 2.0 / (steps > 1 ? steps : 1);
  return (float)(relaxation < 0.9 ? 0.9 : relaxation > 0.98 ? 0.98 : relaxation);
}

/* x <- beta (x + C) + (1 - 2 beta) P x, and the gains of its projection. */
static void raar_take(const Search *search, size_t g, float beta) {
  const int32_t *edges = search->phase->view.edges;
  float *x = search->spectrum + g * search->size;
  const float *c = search->bins_of, *gain = search->gain + g * search->bands * LANE;
  for (size_t b = 0; b < search->bands; b++) {
    F8 own = load8(gain + b * LANE) * (1.0f - 2.0f * beta) + beta;
    for (size_t i = 16 * (size_t)edges[b]; i < 16 * (size_t)edges[b + 1]; i += 8) store8(x + i, load8(c + i) * beta + load8(x + i) * own);
  }
  gains_of(search, g, x);
}

/* The phases of a group with the magnitudes that it is to have. */
static void to_bins(const Search *search, size_t g, float *x) {
  const float *aim = search->aim + g * search->bins * LANE;
  for (size_t i = 0; i < search->bins; i++, x += 16, aim += LANE) {
    F8 re = load8(x), im = load8(x + 8), factor = load8(aim) / sqrt8(re * re + im * im + 1e-24f);
    store8(x, re * factor), store8(x + 8, im * factor);
  }
}

/* x <- P(C + momentum (C - C before)). */
static void griffin_take(const Search *search, size_t g, int first) {
  float *x = search->spectrum + g * search->size, *before = search->before + g * search->size;
  const float *c = search->bins_of;
  for (size_t i = 0; i < search->size; i += 8) {
    F8 now = load8(c + i), moved = first ? now : now + (now - load8(before + i)) * MOMENTUM;
    store8(before + i, now), store8(x + i, moved);
  }
  if (search->aim != NULL) {
    to_bins(search, g, x);
    return;
  }
  gains_of(search, g, x);
  scaled(search, g, x, 1.0f, 0.0f, x);
}

/* Clears what a group adds to first: the rest of the sound behind it is cleared when its turn comes. */
static void clear_for(const Search *search, size_t g) {
  size_t first = g * LANE * search->hop, own = LANE * search->hop, rest = search->n - search->hop;
  size_t from = g == 0 ? 0 : first + rest, to = first + own + rest;
  if (to > search->padded) to = search->padded;
  memset(search->sound + from, 0, (to - from) * sizeof *search->sound);
}

static void raar_step(const Search *search, float beta) {
  size_t groups = (size_t)search->target->groups;
  for (size_t g = 0; g <= groups; g++) {
    if (g < groups) clear_for(search, g), raar_give(search, g), add_group(search, g, search->bins_of);
    if (g > 0) spectrum_of_group(search, g - 1), raar_take(search, g - 1, beta);
  }
}

static void griffin_step(const Search *search, int first) {
  size_t groups = (size_t)search->target->groups;
  for (size_t g = 0; g <= groups; g++) {
    if (g < groups) clear_for(search, g), add_group(search, g, search->spectrum + g * search->size);
    if (g > 0) spectrum_of_group(search, g - 1), griffin_take(search, g - 1, first);
  }
}

/* Memory for a search. relaxed: whether all of its steps are relaxed reflections. */
static Status search_open(Search *s, const Phase *phase, const Target *target, int relaxed, Arena *work) {
  size_t groups = (size_t)target->groups;
  *s = (Search){.phase = phase, .target = target, .bins = (size_t)phase->view.bins, .bands = (size_t)phase->view.bands};
  s->n = (size_t)phase->view.n_fft, s->hop = (size_t)phase->view.hop, s->size = s->bins * 16;
  s->padded = ((groups * LANE - 1) * s->hop + s->n + 7) / 8 * 8;
  s->spectrum = TAKE(work, float, groups * s->size), s->gain = TAKE(work, float, groups * s->bands * LANE);
  s->sound = TAKE(work, float, s->padded), s->weight = TAKE(work, float, s->padded);
  s->lanes = TAKE(work, float, s->n * LANE), s->bins_of = TAKE(work, float, s->size);
  s->before = relaxed ? s->lanes : TAKE(work, float, groups * s->size);
  return !s->spectrum || !s->gain || !s->sound || !s->weight || !s->lanes || !s->bins_of || !s->before ? TS_MEMORY : TS_OK;
}

/* The samples of the spectrum as it is. */
static void to_samples(const Search *s, int64_t samples, float *audio) {
  memset(s->sound, 0, s->padded * sizeof *s->sound);
  for (size_t g = 0; g < (size_t)s->target->groups; g++) add_group(s, g, s->spectrum + g * s->size);
  for (size_t i = 0; i < (size_t)samples; i++) audio[i] = s->sound[s->n / 2 + i] * s->weight[s->n / 2 + i];
}

Status phase_search(const Phase *phase, const Target *target, const uint32_t *turns, int steps, int64_t samples, float *audio, Arena *work) {
  size_t used = work->used, groups = (size_t)target->groups;
  int relaxed = steps * 3 / 4;
  Search s;
  if (search_open(&s, phase, target, steps == relaxed, work) != TS_OK) return work->used = used, TS_MEMORY;
  start(&s, turns);
  weigh(&s, (size_t)samples);
  for (size_t i = 0; i < groups * s.bands * LANE; i += 8) store8(s.gain + i, all8(1.0f)); /* the initial spectrum counts as projected */
  for (int i = 0; i < relaxed; i++) raar_step(&s, relaxation_of(steps));
  for (size_t g = 0; relaxed > 0 && g < groups; g++) scaled(&s, g, s.spectrum + g * s.size, 1.0f, 0.0f, s.spectrum + g * s.size);
  for (int i = relaxed; i < steps; i++) griffin_step(&s, i == relaxed);
  to_samples(&s, samples, audio);
  work->used = used;
  return TS_OK;
}

Status phase_settle(const Phase *phase, const Target *target, const uint32_t *turns, int steps, int64_t samples, float *audio, Arena *work) {
  size_t used = work->used, groups = (size_t)target->groups, frames = (size_t)target->frames;
  Search s;
  Status status = search_open(&s, phase, target, 0, work);
  s.aim = status == TS_OK ? TAKE(work, float, groups * s.bins * LANE) : NULL;
  if (s.aim == NULL) return work->used = used, TS_MEMORY;
  for (size_t t = 0; t < groups * LANE; t++) {
    float *to = s.aim + t / LANE * s.bins * LANE + t % LANE;
    for (size_t i = 0; i < s.bins; i++) to[i * LANE] = t < frames ? target->magnitude[t * s.bins + i] : 0.0f;
  }
  start(&s, turns);
  weigh(&s, (size_t)samples);
  for (int i = 0; i < steps; i++) griffin_step(&s, i == 0);
  to_samples(&s, samples, audio);
  work->used = used;
  return TS_OK;
}
