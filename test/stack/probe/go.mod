module berth.invalid/test/probe

go 1.26
