/* Maps of levels by rank. */
#include "ranks.h"

static const float GROUP_KNOT[GROUP_KNOTS] = {0.1f, 0.35f, 0.62f, 0.88f};

void level_table(const float *points, size_t bands, float *table) {
  for (size_t i = 0; i < bands; i++) {
    float share;
    int upper = knot_of((float)i / (float)(bands > 1 ? bands - 1 : 1), GROUP_KNOT, GROUP_KNOTS, &share);
    const float *low = points + (upper - 1) * LEVEL_KNOTS, *high = low + LEVEL_KNOTS;
    for (size_t k = 0; k < LEVEL_KNOTS; k++) table[k * bands + i] = (1.0f - share) * low[k] + share * high[k];
  }
}

void level_map(const float *table, size_t bands, float floor, const float *db, float *out, float *share, int *lower) {
  level_knots(db, bands, floor, lower, share);
  for (size_t i = 0; i < bands; i++) {
    const float *at = table + (size_t)lower[i] * bands + i;
    out[i] = at[0] + share[i] * (at[bands] - at[0]);
  }
}
