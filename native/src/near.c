/* Levels to samples near a given sound: cells that hardly differ from it keep its spectrum, the others get phases integrated from there, and
   a few steps make all consistent (synthesis/detail/audio.py, phase/start.py). */
#include "near.h"

static const float TRUSTED_DB = 24.0f, STEADY_TRUST = 0.6f, ABOVE_FLOOR_DB = 3.0f;
enum { STEPS = 3 };

size_t near_samples_size(const Phase *phase, int64_t samples) {
  uint64_t frames = ((uint64_t)samples / (uint64_t)phase->view.hop + 1 + LANE) / LANE * LANE + LANE;
  return phase_work_size(phase, samples) + (size_t)(frames * (uint64_t)phase->view.bins) * 5 + 4096;
}

/* A part of the given sound beside a part of the result. */
typedef struct {
  const Phase *phase;
  const Given *given;
  const float *level; /* wanted, dB, [frame][band] */
  int part, frames, attack;
  float kept;
} Beside;

/* The frame of the given sound that is heard in frame t, counted over all parts; -1: none. */
static int64_t frame_beside(const Beside *pair, int t) {
  int frame = t + pair->given->attack - pair->attack;
  return frame < 0 || frame >= pair->given->frames ? -1 : (int64_t)pair->part * pair->given->frames + frame;
}

/* Whether a band is near the given sound there; gain: from that to what is wanted, dB. */
INLINE int is_near(const Beside *pair, int t, size_t own, size_t band, float *gain) {
  const Given *given = pair->given;
  float steady = STEADY_TRUST * given->steady[own + band], limit = TRUSTED_DB * (steady > pair->kept ? steady : pair->kept);
  float level = given->levels[own + band];
  *gain = pair->level[(size_t)t * (size_t)given->bands + band] - level - given->level;
  return *gain < limit && *gain > -limit && level > (float)(ABOVE_FLOOR_DB - pair->phase->view.floor);
}

/* Whether any cell is near the given sound. */
static int any_near(const Beside *pair) {
  size_t bands = (size_t)pair->given->bands;
  float gain;
  for (int t = 0; t < pair->frames; t++) {
    int64_t frame = frame_beside(pair, t);
    for (size_t b = 0; frame >= 0 && b < bands; b++)
      if (is_near(pair, t, (size_t)frame * bands, b, &gain)) return 1;
  }
  return 0;
}

/* Puts the spectrum of the given sound, at the levels that are wanted, into the target and its phases into `turns`; marks those cells. */
static void start_near(const Beside *pair, Target *target, uint32_t *turns, unsigned char *known) {
  const View *view = &pair->phase->view;
  size_t bins = (size_t)view->bins, bands = (size_t)view->bands;
  float gain;
  for (int t = 0; t < pair->frames; t++) {
    int64_t frame = frame_beside(pair, t);
    const float *magnitude = pair->given->magnitude + (frame > 0 ? (size_t)frame : 0) * bins;
    const float *phases = pair->given->turns + (frame > 0 ? (size_t)frame : 0) * bins;
    for (size_t b = 0; frame >= 0 && b < bands; b++) {
      if (!is_near(pair, t, (size_t)frame * bands, b, &gain)) continue;
      float factor = ts_expf(gain * 0.11512925f); /* 10^(gain / 20) */
      for (size_t i = (size_t)view->edges[b]; i < (size_t)view->edges[b + 1]; i++) {
        size_t to = (size_t)t * bins + i;
        target->magnitude[to] = magnitude[i] * factor, known[to] = 1;
        turns[to] = (uint32_t)(int64_t)((double)phases[i] * 4294967296.0);
      }
    }
  }
  target->loudest = 0.0f;
  for (size_t i = 0; i < (size_t)pair->frames * bins; i++)
    target->loudest = target->magnitude[i] > target->loudest ? target->magnitude[i] : target->loudest;
}

static Status part_samples(const Beside *pair, float loudest, int64_t samples, uint64_t seed, float *audio, Arena *work) {
  size_t cells = (size_t)pair->frames * (size_t)pair->phase->view.bins, used = work->used;
  Target target;
  Status status = phase_target(pair->phase, pair->level, pair->frames, loudest, &target, work);
  if (status != TS_OK) return work->used = used, status;
  uint32_t *turns = TAKE(work, uint32_t, cells);
  unsigned char *known = TAKE(work, unsigned char, cells);
  if (turns == NULL || known == NULL) return work->used = used, TS_MEMORY;
  memset(known, 0, cells);
  start_near(pair, &target, turns, known);
  if (target.loudest > 0.0f) {
    status = phase_integrate_from(pair->phase, &target, seed, known, turns, work);
    if (status == TS_OK) status = phase_settle(pair->phase, &target, turns, STEPS, samples, audio, work);
  } else {
    memset(audio, 0, (size_t)samples * sizeof *audio);
  }
  work->used = used;
  return status;
}

Status near_samples(const Phase *phase, const Given *given, const Levels *levels, int attack, float kept, int64_t samples, uint64_t seed,
                    int steps, float *audio, Arena *work) {
  size_t count = (size_t)levels->frames * (size_t)levels->bands;
  Beside pair = {.phase = phase, .given = given, .frames = levels->frames, .attack = attack, .kept = kept};
  int found = 0;
  for (pair.part = 0; pair.part < levels->parts && !found; pair.part++) pair.level = levels->db + (size_t)pair.part * count, found = any_near(&pair);
  if (!found) return phase_render(phase, levels, samples, seed, steps, audio, work);
  float loudest = levels->db[0];
  for (size_t i = 0; i < count * (size_t)levels->parts; i++) loudest = levels->db[i] > loudest ? levels->db[i] : loudest;
  for (pair.part = 0; pair.part < levels->parts; pair.part++) {
    pair.level = levels->db + (size_t)pair.part * count;
    Status status = part_samples(&pair, loudest, samples, seed + (uint64_t)pair.part, audio + (size_t)pair.part * (size_t)samples, work);
    if (status != TS_OK) return status;
  }
  phase_to_channels(audio, levels->parts, samples);
  return TS_OK;
}
