/* Parts that are not written yet: a part that defines one of these takes its place. */
#include "parts.h"

#define LATER __attribute__((weak))

LATER Status phase_open(Phase **out, const File *file, Arena *arena) { return (void)file, (void)arena, *out = NULL, TS_OK; }
LATER Status phase_render(const Phase *phase, const Levels *levels, int64_t samples, uint64_t seed, int steps, float *audio, Arena *work) {
  return (void)phase, (void)levels, (void)samples, (void)seed, (void)steps, (void)audio, (void)work, TS_UNCOVERED;
}
LATER Status note_open(Note **out, const File *file, Arena *arena) { return (void)file, (void)arena, *out = NULL, TS_OK; }
LATER Status note_render(const Note *note, const Levels *levels, const float *z, int category, double midi, uint64_t seed, int64_t samples,
                         float *audio, Arena *work) {
  return (void)note, (void)levels, (void)z, (void)category, (void)midi, (void)seed, (void)samples, (void)audio, (void)work, TS_UNCOVERED;
}
