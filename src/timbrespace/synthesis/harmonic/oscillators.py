"""A bank of oscillators at multiples of one fundamental, compiled by numba. Import inside functions: importing loads numba and compiles.

The sum of partials is a polynomial in the phasor of the fundamental, which takes one sine and cosine a sample, not one a partial:

    sum_k a_k cos(k θ + ψ_k) = Re( w (c_1 + w (c_2 + w (c_3 + …))) ),    w = exp(i θ),  c_k = a_k exp(i ψ_k)
"""

from __future__ import annotations

import numpy as np

from timbrespace.compiled import compiled


@compiled("void(float64[::1], float64[:, ::1], float64[::1], float64[::1], int64, float64, float64[::1])")
def sum_partials(
    turns: np.ndarray, amplitudes: np.ndarray, cosines: np.ndarray, sines: np.ndarray, block: int, least: float, out: np.ndarray
) -> None:
    """Adds partials to `out (time,)`.

    turns: phase of the fundamental in turns `(time,)`. amplitudes `(points, partials)`: of every partial, `block` samples apart, linear
    between; one point more than blocks. cosines, sines `(partials,)`: of the initial phases. least: partials under it in a whole block
    are left out.
    """
    partials = amplitudes.shape[1]
    real, imaginary = np.empty(block), np.empty(block)
    total_real, total_imaginary = np.empty(block), np.empty(block)
    for start in range(0, len(out), block):
        point = start // block
        count = min(block, len(out) - start)
        highest = partials
        while highest > 0 and amplitudes[point, highest - 1] < least and amplitudes[point + 1, highest - 1] < least:
            highest -= 1
        if highest == 0:
            continue
        for n in range(count):
            angle = 2 * np.pi * (turns[start + n] % 1.0)
            real[n], imaginary[n] = np.cos(angle), np.sin(angle)
            total_real[n] = total_imaginary[n] = 0.0
        for k in range(highest - 1, -1, -1):
            first, step = amplitudes[point, k], (amplitudes[point + 1, k] - amplitudes[point, k]) / block
            for n in range(count):
                amplitude = first + n * step
                turned = total_real[n] * real[n] - total_imaginary[n] * imaginary[n]
                total_imaginary[n] = total_real[n] * imaginary[n] + total_imaginary[n] * real[n] + amplitude * sines[k]
                total_real[n] = turned + amplitude * cosines[k]
        for n in range(count):
            out[start + n] += total_real[n] * real[n] - total_imaginary[n] * imaginary[n]
