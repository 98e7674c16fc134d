/* Gaussian noise over bands and frames, of deviation 1, with the correlations of detail (detail_model/fields.py). */
#ifndef TS_FIELDS_H
#define TS_FIELDS_H

#include "detail.h"

/* The octaves of time since the onset: of every frame the earlier of its two, and the weights of both. */
typedef struct {
  int *first, columns;
  float *a, *b;
} Octaves;

/* The grain of noise, frame by frame: white noise and how it is mixed. */
typedef struct {
  int bands;
  float *white;                      /* [frame + 4][band] */
  float *middle, *near, *far, *beside, *norm; /* [band] */
  float *smooth;                     /* [band + 2], of one frame */
} Grain;

void fields_knot_values(Noise *noise, float *out); /* BAND_KNOTS values */
Status fields_ripple(Noise *noise, const float *weight, int bands, float *out, Arena *work);
Status fields_octaves(Noise *noise, int frames, Octaves *out, Arena *work);
/* Values of octave after octave, [column][band], which the weights of Octaves interpolate. */
Status fields_drifting(Noise *noise, const float *weight, int bands, int columns, float *out, Arena *work);
Status fields_broad(Noise *noise, int bands, int columns, float *out, Arena *work);
/* kernel: weights of frames one and two away and of the next band, [3][band]. */
Status fields_grain(Noise *noise, const float *kernel, int bands, int frames, Grain *out, Arena *work);
void fields_grain_of(const Grain *grain, int frame, float *out); /* [band] */
#endif
