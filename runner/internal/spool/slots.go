package spool

// slots bound how many calls may wait for the disk at once. Each of them holds a thread, and a sandbox at its limit of
// processes has no more of those than were made in time.
var slots = make(chan struct{}, 8)

// onDisk must not be nested.
func onDisk[Result any](work func() Result) Result {
	slots <- struct{}{}
	defer func() { <-slots }()
	return work()
}
