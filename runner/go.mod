module berth.dev/runner

go 1.26
