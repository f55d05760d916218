package main

import (
	"slices"
	"sync"
	"time"
)

// row is what all seeds of a path gave: of each flow, the median.
type row struct {
	path     *path
	flows    []result
	spurious []uint64 // of all seeds
	jain     float64  // the median
	seeds    int
}

// measure runs a path with so many seeds, on as many processors as there are.
func measure(p *path, seeds int) (row, error) {
	all := make([][]result, seeds)
	errs := make([]error, seeds)
	var wg sync.WaitGroup
	slots := make(chan struct{}, workers())
	for i := range seeds {
		wg.Add(1)
		slots <- struct{}{}
		go func() {
			defer wg.Done()
			all[i], errs[i] = run(p, uint64(i+1))
			<-slots
		}()
	}
	wg.Wait()
	r := row{path: p, seeds: seeds, spurious: make([]uint64, len(p.flows))}
	var fair []float64
	for i := range seeds {
		if errs[i] != nil {
			return r, errs[i]
		}
		fair = append(fair, jain(all[i]))
	}
	r.jain = middle(fair)
	for f := range p.flows {
		r.flows = append(r.flows, result{
			goodput: median(all, f, func(x *result) float64 { return x.goodput }),
			retrans: median(all, f, func(x *result) float64 { return x.retrans }),
		})
		for i := range all {
			r.spurious[f] += all[i][f].spurious
			r.flows[f].stall = max(r.flows[f].stall, all[i][f].stall)
		}
	}
	return r, nil
}

// median returns the median over all seeds of what value reads of flow f.
func median(all [][]result, f int, value func(*result) float64) float64 {
	var list []float64
	for i := range all {
		list = append(list, value(&all[i][f]))
	}
	return middle(list)
}

// middle returns the median, of an even number the mean of the two.
func middle(list []float64) float64 {
	slices.Sort(list)
	n := len(list)
	return (list[(n-1)/2] + list[n/2]) / 2
}

// jain is Jain's index of fairness: 1 when all have the same, 1/n when one has
// all.
func jain(flows []result) float64 {
	var sum, squares float64
	for i := range flows {
		sum += flows[i].goodput
		squares += flows[i].goodput * flows[i].goodput
	}
	if squares == 0 {
		return 0
	}
	return sum * sum / (float64(len(flows)) * squares)
}

// least is the smallest share of a flow in what all get.
func (r *row) least() float64 {
	total, least := 0.0, 1.0
	for _, f := range r.flows {
		total += f.goodput
	}
	for _, f := range r.flows {
		least = min(least, f.goodput/total)
	}
	return least
}

// exchanges is what the short connections took.
type exchanges struct {
	first []time.Duration // for each of handshakeLosses
	tails []time.Duration // for answers of one segment and more
}

func measureExchanges() (x exchanges, err error) {
	for i := range handshakeLosses {
		d, err := firstByte(&handshakeLosses[i])
		if err != nil {
			return x, err
		}
		x.first = append(x.first, d)
	}
	for n := 1; n <= tailSegments; n++ {
		d, err := tailLoss(n)
		if err != nil {
			return x, err
		}
		x.tails = append(x.tails, d)
	}
	return x, nil
}

// tailMedian is the median of the exchanges whose tail was lost, in round-trip
// times.
func (x *exchanges) tailMedian() float64 {
	var list []float64
	for _, d := range x.tails {
		list = append(list, d.Seconds()/exchangeRTT.Seconds())
	}
	return middle(list)
}
