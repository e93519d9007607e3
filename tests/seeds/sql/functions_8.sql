SELECT joinGet('\xFF', 'v', 1)
