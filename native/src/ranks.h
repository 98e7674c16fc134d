/* Maps of levels by rank, linear between levels and between groups of bands (synthesis/detail_model/ranks.py). */
#ifndef TS_RANKS_H
#define TS_RANKS_H

#include "detail.h"

/* The map of each band, [level][band], from points [GROUP_KNOTS][LEVEL_KNOTS]. */
void level_table(const float *points, size_t bands, float *table);
/* The levels of one frame by this map. share, lower: scratch, [bands]. */
void level_map(const float *table, size_t bands, float floor, const float *db, float *out, float *share, int *lower);
#endif
