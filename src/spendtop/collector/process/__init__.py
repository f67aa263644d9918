"""The collector as a process: its hold on the store, its signals and pipes, and what it says about itself."""
