package files

// Range is a part of a file: from First on, or the last bytes where First is nil; to Last, or to the end where that is nil.
// It holds only for the file that Tag names, if it names one.
type Range struct {
	First *int64 `json:"first"`
	Last  *int64 `json:"last"`
	Tag   string `json:"tag"`
}

// Part is what of a file is sent, To exclusive.
type Part struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
}

// of is the part of a file of so many bytes; nil where the whole is meant. What lies beyond the end is an empty part.
func (r *Range) of(bytes int64, tag string) *Part {
	if r == nil || (r.Tag != "" && r.Tag != tag) {
		return nil
	}
	end := bytes
	switch {
	case r.First == nil && r.Last == nil:
		return nil
	case r.First == nil:
		return &Part{From: max(0, bytes-*r.Last), To: bytes}
	case r.Last != nil:
		end = min(*r.Last+1, bytes)
	}
	return &Part{From: min(*r.First, bytes), To: max(end, min(*r.First, bytes))}
}
