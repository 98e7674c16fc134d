/* timbrespace: plays instruments made by timbrespace, without any other library.

   Everything works in memory that the caller gives: no function allocates, locks, or opens a file. A ts_instrument is read-only after
   ts_open and may be used by several threads, each with its own work memory.

       size = ts_open_size(file, bytes)          0: not an instrument that can be played; ts_message says why
       ts_open(file, bytes, memory, size, &instrument)
       ts_draw(instrument, seed, index, category, temperature, ..., z, work, size)
       ts_render(instrument, &request, audio, capacity, &samples, work, size)                                                */
#ifndef TIMBRESPACE_H
#define TIMBRESPACE_H
#include <stddef.h>
#include <stdint.h>
#endif
