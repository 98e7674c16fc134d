/* What the parts of the phase search share. */
#ifndef TS_PHASE_H
#define TS_PHASE_H

#include "simd.h"
#include "view.h"

enum { LANE = 8 }; /* frames side by side: a group */

struct Phase {
  View view;
  Fft *fft;
  const float *window;
  double *turns;     /* [bins] by which the phase of a bin's frequency advances in a hop, without whole turns */
  int32_t *upper;    /* [bins] the band whose centre is over the bin, or the last one */
  float *share;      /* [bins] its weight in the bin's level; the rest is of the band below */
  int32_t *band;     /* [bins] the band of the bin */
};

/* Levels of one part as what the search aims at. */
typedef struct {
  int frames, groups; /* groups of eight frames; the last is filled up with silent ones */
  float *magnitude;   /* [frame][bins] */
  float *least, *most; /* power of a band: [group][band][8] */
  float loudest;      /* of the magnitudes; 0: silence */
} Target;

/* phase.c: parts to channels, in place: middle and side to left and right. */
void phase_to_channels(float *audio, int parts, int64_t samples);

/* magnitudes.c: level [frame][band] in dB. loudest: of the whole sound, dB. */
Status phase_target(const Phase *phase, const float *level, int frames, float loudest, Target *out, Arena *work);

/* integrate.c: phases [frame][bins] in turns of 2^-32, by phase-gradient heap integration. Of cells with magnitude 0 they mean nothing. */
Status phase_integrate(const Phase *phase, const Target *target, uint64_t seed, uint32_t *turns, Arena *work);
/* The same from the cells that are given, [frame][bins]: their phases are in `turns` and stay. NULL: none. */
Status phase_integrate_from(const Phase *phase, const Target *target, uint64_t seed, const unsigned char *given, uint32_t *turns, Arena *work);

/* search.c: `steps` of the search from phases in turns of 2^-32 to samples. */
Status phase_search(const Phase *phase, const Target *target, const uint32_t *turns, int steps, int64_t samples, float *audio, Arena *work);
/* Griffin-Lim alone, to the magnitudes of the bins: from a start that is nearly right. */
Status phase_settle(const Phase *phase, const Target *target, const uint32_t *turns, int steps, int64_t samples, float *audio, Arena *work);
#endif
