/* Sounds near a given one (synthesis/detail): what their parts share. */
#ifndef TS_NEAR_H
#define TS_NEAR_H

#include "phase.h"

/* A given sound in the view, dB under its loudest cell, each [part][frame][band]: its levels, its detail in two parts, how steady it is; and
   its spectrum, [part][frame][bin]: magnitudes, then phases in turns. `attack`, `held`: its timing (detail/timing.py). */
typedef struct {
  int parts, frames, bands, bins, attack, held;
  float level; /* of the loudest cell, dB */
  const float *levels, *slow, *fast, *steady, *magnitude, *turns;
} Given;

/* What is new in place of the detail that is let go of. */
typedef struct {
  float kept, floor; /* how much is kept, 0 to 1; dB under the loudest cell */
  uint64_t seed;
  const float *drawn; /* levels with drawn detail, as decoded ones; NULL: another stretch of the same detail takes its place */
} Change;

/* near_levels.c: decoded levels become those of the sound, in place. attack: of the result. */
Status near_levels(const Given *given, const Change *change, Levels *levels, int *attack, Arena *work);
size_t near_levels_size(int parts, int frames, int bands);

/* near_blur.c: means over the cells that are there, and the largest, of one part [frame][band]; out is another array.
   reach: cells to either side. */
void mean_over_frames(const float *x, int frames, int bands, int reach, float *out, float *row);
void mean_over_bands(const float *x, int frames, int bands, int reach, float *out);
void largest_over_bands(const float *x, int frames, int bands, int reach, float *out);
/* How much levels fluctuate: root mean square over 17 frames of what their mean over 9 leaves. spare: as large; row: `bands`. */
void fluctuation(const float *levels, int frames, int bands, float *out, float *spare, float *row);

/* near.c: levels in dB, at the given sound's level, to samples [channel][sample], from the spectrum of the given sound where they are near its own. attack: of the levels. */
Status near_samples(const Phase *phase, const Given *given, const Levels *levels, int attack, float kept, int64_t samples, uint64_t seed,
                    int steps, float *audio, Arena *work);
size_t near_samples_size(const Phase *phase, int64_t samples);
#endif
