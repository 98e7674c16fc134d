/* An opened instrument. */
#ifndef TS_INSTRUMENT_H
#define TS_INSTRUMENT_H

#include "../include/timbrespace.h"
#include "space.h"

struct ts_instrument {
  File *file;
  Model *model;
  Space *space;
  Controls *controls; /* NULL: none */
  Detail *detail;     /* NULL: none */
  Phase *phase;
  Note *note;         /* NULL: none */
  Texture *texture;   /* of an instrument without a model of detail or notes; else NULL */
  int iterations; /* of the phase search of given sounds */
};

/* Steps of the phase search of a new sound, see ITERATIONS in synthesis/texture.py. */
static inline int new_sound_steps(const ts_instrument *instrument) { return instrument->iterations < 12 ? instrument->iterations : 12; }

size_t near_work_size(const ts_instrument *instrument, int64_t samples); /* bytes of work memory that ts_near takes beside the decoder */
Arena arena_of(ts_memory *memory);                     /* the memory as an arena; its message becomes "" */
ts_status finished(ts_memory *memory, const Arena *arena, Status status); /* notes the memory used, and a message where there is none */
#endif
