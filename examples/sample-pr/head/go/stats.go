// Package stock has small functions over stock lists.
package stock

import "sort"

// Median returns the middle value of xs, or the mean of the two middle values; 0 for none.
func Median(xs []float64) float64 {
	sorted := append([]float64(nil), xs...)
	sort.Float64s(sorted)
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}
